#include "base/edit_distance.h"

#include <catch2/catch.hpp>

namespace virtseer {

TEST_CASE("slips of the keyboard are counted", "[text]") {
  CHECK(editDistance("", "") == 0);
  CHECK(editDistance("status", "status") == 0);
  CHECK(editDistance("status", "") == 6);
  CHECK(editDistance("", "vms") == 3);
  CHECK(editDistance("stauts", "status") == 1);
  CHECK(editDistance("statu", "status") == 1);
  CHECK(editDistance("stattus", "status") == 1);
  CHECK(editDistance("statos", "status") == 1);
  CHECK(editDistance("kitten", "sitting") == 3);
}

}  // namespace virtseer
