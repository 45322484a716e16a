#pragma once

#include <libvirt/libvirt.h>

#include <memory>

namespace virtseer::platform {

struct FreePool {
  void operator()(virStoragePoolPtr pool) const { virStoragePoolFree(pool); }
};
struct FreeVolume {
  void operator()(virStorageVolPtr volume) const { virStorageVolFree(volume); }
};
/// What libvirt hands out of its storage.
using Pool = std::unique_ptr<virStoragePool, FreePool>;
using Volume = std::unique_ptr<virStorageVol, FreeVolume>;

}  // namespace virtseer::platform
