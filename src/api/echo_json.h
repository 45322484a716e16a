#pragma once

#include <vector>

#include "api/echo_view.h"
#include "api/json.h"

/// What guests tell, in the shapes of openapi.yaml. Pure.
namespace virtseer::api {

/// Everything that a guest told last, written piece by piece, so that one that tells much never
/// holds the loop.
class EchoBody {
 public:
  explicit EchoBody(EchoView view);
  /// Writes some more; false when all is written.
  bool step();
  std::string take() { return std::move(out_); }

 private:
  EchoView view_;
  std::string out_;
  std::size_t value_ = 0, table_ = 0;
  bool tables_begun_ = false, ended_ = false;
};

Json vmTableJson(const VmTable& table);
Json collectionJson(const CollectionView& view);

}  // namespace virtseer::api
