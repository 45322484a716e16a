#include "platform/libvirt/notices.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "platform/libvirt/errors.h"

using namespace virtseer;
using namespace virtseer::platform;

TEST_CASE("lifecycle events have words") {
  CHECK(lifecycleWord(VIR_DOMAIN_EVENT_STARTED) == "started");
  CHECK(lifecycleWord(VIR_DOMAIN_EVENT_CRASHED) == "crashed");
  CHECK(lifecycleReason(VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED) == "migrated");
  CHECK(lifecycleReason(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED) == "migrated");
  CHECK(lifecycleReason(VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_IOERROR) ==
        "ioerror");
  CHECK(lifecycleReason(VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED) ==
        "crashloaded");
  CHECK(jobWord(VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT) == "migration_out");
}

TEST_CASE("numbers that a later libvirt may send are unknown, not a fault") {
  CHECK(lifecycleWord(99) == "unknown");
  CHECK(lifecycleWord(-1) == "unknown");
  CHECK(lifecycleReason(99, 0) == "unknown");
  CHECK(lifecycleReason(VIR_DOMAIN_EVENT_STARTED, 99) == "unknown");
  CHECK(jobWord(99) == "unknown");
}

TEST_CASE("libvirt's error numbers tell what the caller may do") {
  const auto code = [](int number) { return codeOf(number, VIR_FROM_QEMU); };
  CHECK(code(VIR_ERR_NO_DOMAIN) == Code::not_found);
  CHECK(code(VIR_ERR_NO_SUPPORT) == Code::unsupported);
  CHECK(code(VIR_ERR_AUTH_FAILED) == Code::refused);
  CHECK(code(VIR_ERR_OPERATION_DENIED) == Code::refused);
  CHECK(code(VIR_ERR_OPERATION_TIMEOUT) == Code::timeout);
  CHECK(code(VIR_ERR_RESOURCE_BUSY) == Code::busy);
  CHECK(code(VIR_ERR_INTERNAL_ERROR) == Code::failed);
}

TEST_CASE("only a lost connection is no answer: what libvirt refuses for good is an answer") {
  CHECK(codeOf(VIR_ERR_NO_CONNECT, VIR_FROM_REMOTE) == Code::unreachable);
  CHECK(codeOf(VIR_ERR_INVALID_CONN, VIR_FROM_NONE) == Code::unreachable);
  CHECK(codeOf(VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC) == Code::unreachable);
  CHECK(codeOf(VIR_ERR_SYSTEM_ERROR, VIR_FROM_REMOTE) == Code::unreachable);
  for (const int domain : {VIR_FROM_QEMU, VIR_FROM_STORAGE, VIR_FROM_NONE}) {
    CHECK(codeOf(VIR_ERR_SYSTEM_ERROR, domain) == Code::failed);  // a read-only file system
    CHECK(codeOf(VIR_ERR_OPERATION_INVALID, domain) == Code::failed);
  }
  CHECK(codeOf(VIR_ERR_RPC, VIR_FROM_RPC) == Code::failed);  // a message that is too long
}

TEST_CASE("a flood of events is cut off and the loop told to list everything again") {
  boost::asio::io_context loop;
  const auto gate = std::make_shared<LoopGate>(loop.get_executor());
  const auto sink = std::make_shared<NoticeSink>(gate);
  std::size_t reboots = 0;
  std::size_t relists = 0;
  sink->setReceiver({[&](std::uint64_t, const Notice& notice) {
                       if (notice.kind == Notice::Kind::connected)
                         ++relists;
                       else
                         ++reboots;
                     },
                     {}});
  for (std::size_t i = 0; i < NoticeSink::kMaxWaiting + 100; ++i)
    sink->notice(1, {Notice::Kind::vm_changed, Uuid{}, "", "rebooted", ""});
  loop.run();
  CHECK(reboots == NoticeSink::kMaxWaiting);
  CHECK(relists == 1);
}

TEST_CASE("nothing passes a gate that is shut") {
  boost::asio::io_context loop;
  LoopGate gate(loop.get_executor());
  bool ran = false;
  CHECK(gate.post([&] { ran = true; }));
  gate.shut();
  CHECK_FALSE(gate.post([] { FAIL("posted through a shut gate"); }));
  loop.run();
  CHECK(ran);
}

TEST_CASE("whoever listens learns once that a connection closed, also when it is too late") {
  CloseHub hub;
  std::vector<std::string> told;
  hub.add([&](const std::string& why) { told.push_back("first: " + why); });
  hub.closed("broken");
  hub.closed("again");
  hub.add([&](const std::string& why) { told.push_back("late: " + why); });
  CHECK(told == std::vector<std::string>{"first: broken", "late: broken"});
}
