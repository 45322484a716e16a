#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "agent/columns.h"
#include "agent/source.h"
#include "virtseer/echo/text.h"

namespace virtseer::agent {

/// A directory of its own that stands for a guest's root; gone at the end.
class Tree {
 public:
  Tree() {
    std::string name = (std::filesystem::temp_directory_path() / "virtseer-agent-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Tree() { std::filesystem::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  /// Writes a file in place, as the kernel's files change while they are open.
  void write(const std::string& path, std::string_view text) const {
    const std::filesystem::path file = root_ + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc) << text;
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

/// "metric{label=value,...}" -> value, without what is missing.
using Reading = std::map<std::string, double>;

inline std::string keyOf(const echo::ColumnName& column) {
  std::string key = column.metric;
  for (const auto& [label, value] : column.labels)
    key += (key.size() == column.metric.size() ? "{" : ",") + label + "=" + value;
  return column.labels.empty() ? key : key + "}";
}

/// A source that is read round by round.
class Reader {
 public:
  Reader(SourcePointer source, const Tree& tree) : Reader(std::move(source), tree.root()) {}
  Reader(SourcePointer source, const std::string& root) : source_(std::move(source)) {
    const auto opened = source_->open(root);
    INFO((opened ? "" : opened.error()));
    REQUIRE(opened);
  }

  /// What the source tells, every name one that the host takes: it ends the link for another.
  Reading read(std::int64_t now_ms = 0) {
    row_.clear();
    report_.clear();
    Round round{columns_, row_, scratch_, report_, now_ms};

    source_->read(round);
    report_.finish();
    Reading reading;
    const auto values = row_.values(columns_.size());
    for (; checked_ < values.size(); ++checked_) checkName(columns_.names()[checked_]);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] == values[i])
        REQUIRE(reading.emplace(keyOf(columns_.names()[i]), values[i]).second);
    return reading;
  }
  const Columns& columns() const { return columns_; }
  /// What the last round reported.
  const echo::Report& report() const { return report_.report(); }
  Source& source() { return *source_; }

 private:
  static void checkName(const echo::ColumnName& column) {
    INFO(keyOf(column));
    CHECK(echo::isAgentMetric(column.metric));
    for (const auto& [label, value] : column.labels) {
      CHECK(echo::isAgentLabel(label));
      CHECK(echo::isText(value));
    }
  }

  SourcePointer source_;
  Columns columns_;
  std::size_t checked_ = 0;  ///< columns whose names were looked at
  Row row_;
  Scratch scratch_;
  ReportBuilder report_;
};

}  // namespace virtseer::agent
