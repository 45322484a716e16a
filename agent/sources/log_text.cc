#include "agent/sources/log_text.h"

#include <algorithm>
#include <array>

#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kMask = "***";
/// Words at whose end a secret's name may still go on: token_id, secretKey.
constexpr std::size_t kMaxNameRest = 32;

struct SecretName {
  std::string_view name;
  bool to_end = false;  ///< the value has blanks in it
};
constexpr std::array<SecretName, 13> kSecretNames{{{"password"},
                                                   {"passwd"},
                                                   {"passphrase"},
                                                   {"passcode"},
                                                   {"secret"},
                                                   {"token"},
                                                   {"api_key"},
                                                   {"api-key"},
                                                   {"apikey"},
                                                   {"access_key"},
                                                   {"credential"},
                                                   {"authorization", true},
                                                   {"cookie", true}}};

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool isAlnum(char c) {
  return isDigit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}
constexpr bool isHex(char c) {
  return isDigit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}
constexpr bool isSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool startsWith(std::string_view text, std::string_view name) {
  if (text.size() < name.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if (lower(text[i]) != name[i]) return false;
  return true;
}

const SecretName* secretNameAt(std::string_view text) {
  constexpr std::string_view kFirsts = "pstac";
  if (kFirsts.find(lower(text.front())) == kFirsts.npos) return nullptr;
  for (const SecretName& secret : kSecretNames)
    if (startsWith(text, secret.name)) return &secret;
  return nullptr;
}

/// A part of a message.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin >= end; }
};

template <typename Is>
std::size_t skipWhile(std::string_view text, std::size_t at, Is is) {
  while (at < text.size() && is(text[at])) ++at;
  return at;
}

/// Where a name that ends at `at` goes on: over "_id", "Value", "s", but not over "izer".
std::size_t endOfName(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == 's') ++at;
  if (at < text.size() && text[at] >= 'a' && text[at] <= 'z') return text.npos;
  const std::size_t end = skipWhile(text.substr(0, at + kMaxNameRest + 1), at, [](char c) {
    return isAlnum(c) || c == '_' || c == '-' || c == '.';
  });
  return end - at > kMaxNameRest ? text.npos : end;
}

/// Whether the name at `at` is an option's: --password VALUE.
bool isOption(std::string_view text, std::size_t at) {
  while (at > 0 && (isAlnum(text[at - 1]) || text[at - 1] == '_' || text[at - 1] == '-')) --at;
  return at + 1 < text.size() && text[at] == '-' && text[at + 1] == '-';
}

/// The value that stands from `at` on.
Span valueAt(std::string_view text, std::size_t at, bool to_end) {
  std::size_t begin = skipWhile(text, at, [](char c) { return c == '\\'; });
  const char quote = begin < text.size() ? text[begin] : ' ';
  if (quote == '"' || quote == '\'') {
    ++begin;
    // A quote behind a backslash belongs to the value, but where that one begins it does too.
    const bool escaped = begin >= 2 && text[begin - 2] == '\\';
    std::size_t end = begin;
    while (end < text.size() && (text[end] != quote || (!escaped && text[end - 1] == '\\'))) ++end;
    return {begin, end};
  }
  constexpr std::string_view kEnds = ",;&)}]\"'<>|";
  const auto ends = [&](char c) {
    return to_end ? c == '"' || c == '\'' || c == '\n' : isSpace(c) || kEnds.find(c) != kEnds.npos;
  };
  return {begin, skipWhile(text, begin, [&](char c) { return !ends(c); })};
}

/// The secret behind a name that begins at `at`; empty: none.
Span namedSecret(std::string_view text, std::size_t at, const SecretName& secret) {
  const std::size_t name_end = endOfName(text, at + secret.name.size());
  if (name_end == text.npos) return {};
  std::size_t place =
      skipWhile(text, name_end, [](char c) { return c == '"' || c == '\'' || c == '\\'; });
  const std::size_t sign = skipWhile(text, place, [](char c) { return c == ' ' || c == '\t'; });
  place = skipWhile(text, sign, [](char c) { return c == ':' || c == '=' || c == '>'; });
  if (place == sign && !(sign > name_end && isOption(text, at))) return {};
  place = skipWhile(text, place, isSpace);
  return valueAt(text, place, secret.to_end);
}

/// The password of "scheme://user:password@host", where "://" stands at `at`.
Span urlSecret(std::string_view text, std::size_t at) {
  const std::size_t begin = at + 3;
  const std::size_t end = skipWhile(
      text, begin, [](char c) { return !isSpace(c) && c != '/' && c != '"' && c != '\''; });
  const std::string_view authority = text.substr(begin, end - begin);
  const auto sign = authority.rfind('@');
  const auto colon = authority.find(':');
  if (sign == authority.npos || colon == authority.npos || colon > sign) return {};
  return {begin + colon + 1, begin + sign};
}

Span secretAt(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("://")) return urlSecret(text, at);
  if (startsWith(rest, "bearer ")) {
    const Span token = valueAt(text, at + 7, false);
    return token.end - token.begin >= 8 ? token : Span{};
  }
  if (rest.starts_with("PRIVATE KEY-----")) return {at + 16, text.size()};
  if (const SecretName* secret = secretNameAt(rest)) return namedSecret(text, at, *secret);
  return {};
}

/// Bytes of a UUID at the start of `text`, or 0.
std::size_t uuidSize(std::string_view text) {
  constexpr std::size_t kSize = 36;
  if (text.size() < kSize) return 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !isHex(text[i])) return 0;
  }
  return text.size() > kSize && isAlnum(text[kSize]) ? 0 : kSize;
}

/// Whether a word of letters and digits is a number, decimal or hexadecimal.
bool isNumberWord(std::string_view word) {
  if (word.size() > 2 && word[0] == '0' && lower(word[1]) == 'x') word.remove_prefix(2);
  return std::all_of(word.begin(), word.end(), isHex) &&
         std::any_of(word.begin(), word.end(), isDigit);
}

}  // namespace

std::string maskSecrets(std::string_view message) {
  std::string masked;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < message.size();) {
    const Span secret = secretAt(message, at);
    if (secret.empty()) {
      ++at;
      continue;
    }
    masked.append(message.substr(copied, secret.begin - copied));
    masked.append(kMask);
    at = copied = secret.end;
  }
  masked.append(message.substr(copied));
  return masked;
}

std::string toldMessage(std::string_view message) {
  std::string text = maskSecrets(message);
  const auto end = std::unique(text.begin(), text.end(),
                               [](char a, char b) { return isSpace(a) && isSpace(b); });
  text.erase(end, text.end());
  std::replace_if(text.begin(), text.end(), isSpace, ' ');
  if (text.ends_with(' ')) text.pop_back();
  return echo::cleanText(text, kMaxToldBytes);
}

std::uint64_t shapeOf(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = seed;
  const auto put = [&](char c) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;  // FNV-1a
  };
  while (!text.empty()) {
    if (const std::size_t size = uuidSize(text); size > 0) {
      put('#');
      text.remove_prefix(size);
      continue;
    }
    const std::size_t size = std::max<std::size_t>(skipWhile(text, 0, isAlnum), 1);
    const std::string_view word = text.substr(0, size);
    text.remove_prefix(size);
    if (isNumberWord(word)) {
      put('#');
      continue;
    }
    for (std::size_t i = 0; i < word.size(); ++i)
      if (!isDigit(word[i]))
        put(word[i]);
      else if (i == 0 || !isDigit(word[i - 1]))
        put('#');
  }
  return hash;
}

}  // namespace virtseer::agent
