#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace virtseer::api {

/// What a connection takes a place of; a surplus one is only told that there is none.
enum class Place { local, tcp, surplus };

/// The places of connections and how many are taken. TCP takes three quarters of them at most, one
/// at least, where there is a UNIX socket: that is how a daemon that is full is looked at.
class Places {
 public:
  Places(std::size_t most, bool unix_socket)
      : most_(most), most_tcp_(unix_socket ? std::max<std::size_t>(1, most * 3 / 4) : most) {}

  std::size_t& taken(Place place) { return taken_[static_cast<std::size_t>(place)]; }
  bool free(Place place) {
    return taken(Place::local) + taken(Place::tcp) < most_ &&
           (place != Place::tcp || taken(Place::tcp) < most_tcp_);
  }

 private:
  std::size_t most_, most_tcp_;
  std::array<std::size_t, 3> taken_{};
};

}  // namespace virtseer::api
