#pragma once

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/decisions.h"

namespace virtseer::test {

/// What decides and acts, with answers that tests write. It records what it was asked; while
/// `failure` is set, whatever can fail does.
class FakeDecisions final : public api::Decisions {
 public:
  template <class T>
  using Answer = boost::asio::awaitable<Result<T>>;

  std::optional<Error> failure;
  api::ForecastAnswer known_forecast;
  std::optional<Plan> known_plan;
  Ranking known_ranking;
  api::Explanation known_explanation;
  api::PolicyView known_policy;
  api::MigrateAnswer migrate_answer;
  std::vector<Operation> known_operations;
  Operation answered;  ///< to aborting and to sending back
  api::Automation known_automation;
  FleetState known_state;
  RemoteVm known_vm;
  ReserveAnswer reserve_answer;
  Reservation known_reservation;
  EnrollReport enroll_report;
  api::DoctorAnswer known_doctor;
  Counts known_counts;
  bool in_maintenance = false;

  /// Every question that can be wrong in what it names: "forecast web", "commit op-1".
  std::vector<std::string> calls;
  std::optional<api::MigrateRequest> asked_migrate;
  std::optional<api::OperationFilter> asked_operations;
  std::optional<ReserveOrder> asked_reserve;
  std::optional<CommitOrder> asked_commit;
  std::string asked_token;
  std::optional<bool> asked_maintenance;
  std::optional<api::EnrollRequest> asked_enroll;

  Result<api::ForecastAnswer> forecast(const std::string& vm) override {
    return said("forecast " + vm, known_forecast);
  }
  std::optional<Plan> plan() override { return known_plan; }
  Answer<Ranking> rank(std::string vm) override { co_return said("rank " + vm, known_ranking); }
  Result<api::Explanation> explain(const std::string& id) override {
    return said("explain " + id, known_explanation);
  }
  Result<api::PolicyView> policy(const std::string& vm) override {
    return said("policy " + vm, known_policy);
  }

  Answer<api::MigrateAnswer> migrate(std::string vm, api::MigrateRequest request) override {
    asked_migrate = std::move(request);
    co_return said("migrate " + vm, migrate_answer);
  }
  Result<std::vector<Operation>> operations(const api::OperationFilter& filter) override {
    asked_operations = filter;
    if (failure) return fail(*failure);
    std::vector<Operation> out;
    for (const auto& each : known_operations)
      if ((!filter.active || !ended(each.state)) && (!filter.vm || each.vm == *filter.vm) &&
          out.size() < filter.limit)
        out.push_back(each);
    return out;
  }
  Result<Operation> operation(const std::string& id) override {
    for (const auto& each : known_operations)
      if (each.id == id) return said("operation " + id, each);
    return fail(Code::not_found, "no operation has the id " + id);
  }
  Answer<Operation> abort(std::string id, bool fenced) override {
    co_return said("abort " + id + (fenced ? " fenced" : ""), answered);
  }

  Answer<void> setMaintenance(std::string host, bool on) override {
    asked_maintenance = on;
    co_return said("maintenance " + host);
  }
  bool maintenance() override { return in_maintenance; }
  api::Automation automation() override { return known_automation; }
  Answer<api::Automation> setAutomation(bool on) override {
    known_automation.on = on;
    known_automation.said_by = "person";
    co_return said(std::string("automation ") + (on ? "on" : "off"), known_automation);
  }

  Answer<FleetState> fleetState() override { co_return said("fleet state", known_state); }
  Answer<RemoteVm> remoteVm(Uuid vm) override { co_return said("vm " + vm.text(), known_vm); }
  Answer<ReserveAnswer> reserve(ReserveOrder order) override {
    const std::string call = "reserve " + order.operation;
    asked_reserve = std::move(order);
    co_return said(call, reserve_answer);
  }
  Result<Reservation> renew(const std::string& operation) override {
    return said("renew " + operation, known_reservation);
  }
  Answer<void> release(std::string operation) override { co_return said("release " + operation); }
  Answer<void> commit(std::string operation, CommitOrder order) override {
    asked_commit = std::move(order);
    co_return said("commit " + operation);
  }
  Answer<void> takeToken(std::string operation, std::string token) override {
    asked_token = std::move(token);
    co_return said("token of " + operation);
  }
  Answer<void> revive(std::string operation) override { co_return said("revive " + operation); }
  Answer<Operation> sendBack(std::string operation) override {
    co_return said("return " + operation, answered);
  }
  Answer<EnrollReport> enroll(std::string vm, api::EnrollRequest request) override {
    asked_enroll = std::move(request);
    co_return said("enroll " + vm, enroll_report);
  }
  Answer<api::DoctorAnswer> doctor() override { co_return said("doctor", known_doctor); }
  Counts counts() override { return known_counts; }

 private:
  template <class T>
  Result<T> said(std::string call, const T& answer) {
    calls.push_back(std::move(call));
    if (failure) return fail(*failure);
    return answer;
  }
  Result<void> said(std::string call) {
    calls.push_back(std::move(call));
    if (failure) return fail(*failure);
    return {};
  }
};

}  // namespace virtseer::test
