#pragma once

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace virtseer::api {

/// What a test needs of openapi.yaml, read line by line: the file keeps one property a line,
/// indented by two, and schemas only directly below components.
struct OpenApi {
  struct Schema {
    std::map<std::string, std::string> properties;  ///< name -> schema it refers to, or empty
    std::set<std::string> required;
    std::set<std::string> nullable;  ///< properties that may be null
    std::set<std::string> values;    ///< of an enumeration
    bool closed = false;             ///< additionalProperties: false
  };
  std::map<std::string, std::set<std::string>>
      operations;                          ///< "GET /path" -> names of query parameters
  std::map<std::string, std::string> ids;  ///< "GET /path" -> operationId
  std::vector<std::string> order;          ///< of the operationIds
  std::map<std::string, Schema> schemas;
  std::string version;

  static OpenApi read(std::string_view text);
};

inline std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(' ');
  return first == std::string::npos ? std::string() : line.substr(first);
}

inline std::string unquoted(const std::string& text) {
  return text.size() > 1 && text.front() == '\'' ? text.substr(1, text.size() - 2) : text;
}

inline std::string keyOf(const std::string& line) {
  const std::string text = trimmed(line);
  return unquoted(text.substr(0, text.find(':')));
}

inline std::string valueOf(const std::string& line) {
  const auto colon = line.find(": ");
  return colon == std::string::npos ? std::string() : line.substr(colon + 2);
}

/// The last part of the reference in the line, empty if there is none.
inline std::string referenceIn(const std::string& line) {
  const auto at = line.find("#/components/");
  if (at == std::string::npos) return "";
  const auto end = line.find('\'', at);
  const auto whole = line.substr(at, end - at);
  return whole.substr(whole.rfind('/') + 1);
}

inline OpenApi OpenApi::read(std::string_view text) {
  OpenApi out;
  std::map<std::string, std::pair<std::string, std::string>> parameters;  // key -> name, place
  std::map<std::string, std::set<std::string>> references;                // operation -> keys
  std::string section, part, path, operation, parameter, schema, member, property;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const auto indent = line.find_first_not_of(' ');
    const std::string key = keyOf(line);
    if (indent == 0) section = key;
    if (section == "info" && indent == 2 && key == "version") out.version = valueOf(line);
    if (section == "paths") {
      if (indent == 2) path = key;
      if (indent == 4) {
        operation = (key == "get" ? "GET " : key == "post" ? "POST " : key + " ") + path;
        out.operations[operation];
      }
      if (indent == 6 && key == "operationId")
        out.order.push_back(out.ids[operation] = valueOf(line));
      if (indent == 8 && line.find("components/parameters/") != std::string::npos)
        references[operation].insert(referenceIn(line));
    }
    if (section != "components") continue;
    if (indent == 2) part = key;
    if (part == "parameters") {
      if (indent == 4) parameter = key;
      if (indent == 6 && key == "name") parameters[parameter].first = valueOf(line);
      if (indent == 6 && key == "in") parameters[parameter].second = valueOf(line);
    }
    if (part != "schemas") continue;
    if (indent == 4) schema = key;
    Schema& current = out.schemas[schema];
    if (indent == 6) {
      member = key;
      if (key == "additionalProperties") current.closed = valueOf(line) == "false";
      if (key == "enum") {
        std::string values = valueOf(line);
        for (char& c : values)
          if (c == '[' || c == ']' || c == ',') c = ' ';
        std::istringstream each(values);
        for (std::string value; each >> value;) current.values.insert(value);
      }
    }
    if (indent == 8 && member == "required")
      current.required.insert(unquoted(trimmed(line).substr(2)));
    if (indent == 8 && member == "enum") current.values.insert(trimmed(line).substr(2));
    if (indent == 8 && member == "properties") current.properties[property = key];
    if (indent == 10 && member == "properties" && !referenceIn(line).empty())
      current.properties[property] = referenceIn(line);
    if (indent == 10 && member == "properties" && line.find("'null'") != std::string::npos)
      current.nullable.insert(property);
  }
  for (const auto& [name, keys] : references)
    for (const auto& each : keys)
      if (parameters[each].second == "query") out.operations[name].insert(parameters[each].first);
  return out;
}

}  // namespace virtseer::api
