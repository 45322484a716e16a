#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/enroll.h"

namespace virtseer::platform {

/// What enrolling looks at and changes in one of a domain's definitions. Texts are hostile.
struct EnrollXml {
  EnrollSide side;
  std::string name;
  std::string machine;
  std::string channel;  ///< the echo channel's element as it stands; empty: none
  std::optional<PolicyMetadata> metadata;
  std::string managed_by;

  bool operator==(const EnrollXml&) const = default;
};

/// nullopt if it is no domain XML.
std::optional<EnrollXml> parseEnrollXml(std::string_view xml);

/// The element that enrolling adds.
std::string echoChannelXml();

}  // namespace virtseer::platform
