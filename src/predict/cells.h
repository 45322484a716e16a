#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "predict/bytes.h"
#include "predict/demand_series.h"

namespace virtseer::predict {

/// No index of a step or cell reaches this: far beyond any date, and far from overflow.
inline constexpr std::int64_t kLastIndex = std::int64_t{1} << 50;

/// The recent past of one series on a coarser grid: mean and maximum of `fold` steps per cell, the
/// newest `capacity` cells. Cell i holds the steps [i * fold, (i + 1) * fold); one with fewer than
/// half of its steps is missing (NaN).
class Cells {
 public:
  Cells(std::size_t capacity, std::int64_t fold);

  /// Takes the next step; one that is not newer than the last is ignored.
  void add(Step step);
  void clear();

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::int64_t end() const { return end_; }  ///< index after the newest complete cell
  std::int64_t fold() const { return fold_; }
  /// How many cells, from the first of all on, are here no more. A gap of `capacity` cells or more
  /// is a new beginning. Of a full past that was read from bytes it is not known: very many.
  std::int64_t gone() const { return end_ - static_cast<std::int64_t>(size_) - begun_; }

  /// All cells, oldest first: mean[size() - 1] belongs to cell end() - 1.
  void copy(std::vector<float>& mean, std::vector<float>& peak) const;

  struct Window {
    std::size_t known = 0;  ///< cells that are not missing
    double mean = 0;
    double peak = 0;
  };
  /// The cells [from, to), as far as they are still here.
  Window window(std::int64_t from, std::int64_t to) const;

  void write(ByteWriter& out) const;
  /// Replaces the content; marks `in` as failed if it makes no sense.
  void read(ByteReader& in);

 private:
  void put(std::int64_t index, float mean, float peak);
  void close();
  std::size_t slot(std::int64_t index) const {
    return static_cast<std::size_t>(index) % mean_.size();
  }

  std::int64_t fold_;
  std::vector<float> mean_, peak_;  ///< at index modulo capacity
  std::size_t size_ = 0;
  std::int64_t end_ = 0;
  std::int64_t begun_ = 0;  ///< index of the first cell of all

  std::int64_t open_ = -1;  ///< cell that is being filled
  std::int64_t last_step_ = -1;
  std::int64_t steps_ = 0;
  double sum_ = 0;
  float high_ = 0;
};

}  // namespace virtseer::predict
