#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace virtseer::agent {

/// Of a message no more is told.
inline constexpr std::size_t kMaxToldBytes = 512;

/// `message` for a person: what looks like a secret is masked (`maskSecrets`), blanks and ends of
/// lines become one blank, and it is cut to kMaxToldBytes without cutting a character.
std::string toldMessage(std::string_view message);

/// Puts *** in place of what follows password=, token:, secret, Authorization: and the like
/// (PGPASSWORD=, "api_key": "...", --password VALUE), of passwords in URLs (//user:password@host),
/// of bearer tokens and of private keys. It knows the usual ways to write them and no others.
std::string maskSecrets(std::string_view message);

/// A number for the text in which numbers, hexadecimal numbers and UUIDs all count the same; goes
/// on from `seed`.
std::uint64_t shapeOf(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325);

}  // namespace virtseer::agent
