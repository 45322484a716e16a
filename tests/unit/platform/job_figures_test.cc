#include "platform/libvirt/job_figures.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

class Values {
 public:
  Values() { REQUIRE(virInitialize() == 0); }
  ~Values() { virTypedParamsFree(values_, count_); }
  void add(const char* name, unsigned long long value) {
    REQUIRE(virTypedParamsAddULLong(&values_, &count_, &room_, name, value) == 0);
  }
  void addOperation(int value) {
    REQUIRE(virTypedParamsAddInt(&values_, &count_, &room_, VIR_DOMAIN_JOB_OPERATION, value) == 0);
  }
  std::span<virTypedParameter> all() { return {values_, static_cast<std::size_t>(count_)}; }

 private:
  virTypedParameterPtr values_ = nullptr;
  int count_ = 0;
  int room_ = 0;
};

}  // namespace

TEST_CASE("a job's progress is what is left of the whole, whatever was sent twice") {
  Values values;
  values.addOperation(VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
  values.add(VIR_DOMAIN_JOB_TIME_ELAPSED, 1500);
  values.add(VIR_DOMAIN_JOB_DATA_TOTAL, 1000);
  values.add(VIR_DOMAIN_JOB_DATA_PROCESSED, 5000);
  values.add(VIR_DOMAIN_JOB_DATA_REMAINING, 250);
  values.add(VIR_DOMAIN_JOB_MEMORY_ITERATION, 3);
  values.add(VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, 10);
  values.add(VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, 4096);
  values.add(VIR_DOMAIN_JOB_MEMORY_BPS, 700);
  values.add(VIR_DOMAIN_JOB_DISK_BPS, 300);
  values.add(VIR_DOMAIN_JOB_DOWNTIME, 120);
  const auto progress = progressOf(values.all());
  CHECK(progress.fraction == Approx(0.75));
  CHECK(progress.processed_bytes == 5000);
  CHECK(progress.remaining_bytes == 250);
  CHECK(progress.total_bytes == 1000);
  CHECK(progress.iteration == 3);
  CHECK(progress.elapsed == Millis(1500));
  CHECK(progress.dirty_bytes_per_s == 40960.0);
  CHECK(progress.bytes_per_s == 1000.0);
  CHECK(progress.downtime == Millis(120));
  CHECK(operationOf(values.all()) == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
}

TEST_CASE("a job that tells nothing yet is at its beginning, and no more remains than there is") {
  Values none;
  CHECK(progressOf(none.all()) == MigrationProgress{});
  CHECK(operationOf(none.all()) == VIR_DOMAIN_JOB_OPERATION_UNKNOWN);
  Values odd;
  odd.add(VIR_DOMAIN_JOB_DATA_TOTAL, 10);
  odd.add(VIR_DOMAIN_JOB_DATA_REMAINING, 20);
  odd.add(VIR_DOMAIN_JOB_TIME_ELAPSED, ~0ULL);
  CHECK(progressOf(odd.all()).fraction == 0);
  CHECK(progressOf(odd.all()).elapsed > Millis(0));
}

TEST_CASE("the end of a migration tells how long it took and how long the VM stood still") {
  Values values;
  values.add(VIR_DOMAIN_JOB_TIME_ELAPSED, 2600);
  values.add(VIR_DOMAIN_JOB_DOWNTIME, 46);
  values.add(VIR_DOMAIN_JOB_DATA_PROCESSED, 94203474);
  CHECK(figuresOf(values.all()) == MigrateEnd{Millis(46), Millis(2600), 94203474});
  Values none;
  CHECK(figuresOf(none.all()) == MigrateEnd{});
}
