#include <catch2/catch.hpp>

#include "platform/libvirt/reading.h"

using namespace virtseer;
using namespace virtseer::platform;

namespace {

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");
const Uuid kOther = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000002");
const DomainFacts kFacts = [] {
  DomainFacts facts;
  facts.role = Role::lab;
  return facts;
}();

}  // namespace

TEST_CASE("facts are kept for one run of the VM") {
  FactsCache cache;
  cache.store(kVm, 3, kFacts, cache.ticket());
  CHECK(cache.find(kVm, 3) == kFacts);
  CHECK_FALSE(cache.find(kVm, 4));
  CHECK_FALSE(cache.find(kOther, 3));
}

TEST_CASE("facts read before a change was noticed are not stored") {
  FactsCache cache;
  const auto ticket = cache.ticket();
  cache.forget(kVm);
  cache.store(kVm, 3, kFacts, ticket);
  cache.store(kOther, 4, kFacts, ticket);
  CHECK_FALSE(cache.find(kVm, 3));
  CHECK(cache.find(kOther, 4));

  const auto later = cache.ticket();
  cache.forgetAll();
  cache.store(kVm, 3, kFacts, later);
  CHECK_FALSE(cache.find(kVm, 3));
  CHECK_FALSE(cache.find(kOther, 4));

  cache.store(kVm, 3, kFacts, cache.ticket());
  CHECK(cache.find(kVm, 3));
}

TEST_CASE("VMs that are gone leave the cache") {
  FactsCache cache;
  cache.store(kVm, 1, kFacts, cache.ticket());
  cache.store(kOther, 2, kFacts, cache.ticket());
  cache.retain({kOther});
  CHECK(cache.size() == 1);
  CHECK(cache.find(kOther, 2));
}
