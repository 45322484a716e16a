#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// Figures of applications that mean the same whoever exports them.
namespace virtseer::agent {

enum class AppRole : std::uint8_t { database_transactions, database_queries, web_requests };
inline constexpr std::size_t kAppRoles = 3;

inline constexpr std::array<std::string_view, kAppRoles> kAppRoleMetrics{
    "guest_database_transactions_total", "guest_database_queries_total",
    "guest_web_requests_total"};

/// The role that all samples of this name make up together, if it is one that is known.
constexpr std::optional<AppRole> appRoleOf(std::string_view metric) {
  struct Known {
    std::string_view metric;
    AppRole role;
  };
  constexpr Known kKnown[] = {
      // postgres_exporter: for each database, of pg_stat_database
      {"pg_stat_database_xact_commit", AppRole::database_transactions},
      {"pg_stat_database_xact_rollback", AppRole::database_transactions},
      // mysqld_exporter: Queries of SHOW GLOBAL STATUS
      {"mysql_global_status_queries", AppRole::database_queries},
      // nginx-prometheus-exporter: of stub_status
      {"nginx_http_requests_total", AppRole::web_requests},
      // apache_exporter: Total Accesses of mod_status
      {"apache_accesses_total", AppRole::web_requests},
  };
  for (const Known& known : kKnown)
    if (known.metric == metric) return known.role;
  return std::nullopt;
}

}  // namespace virtseer::agent
