#pragma once

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string>
#include <string_view>

#include "api/admission.h"

/// What the server takes out of a request before a route is asked. For server.cc only.
namespace virtseer::api {

using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

inline Credentials credentials(const Parser::value_type& message) {
  namespace http = boost::beast::http;
  Credentials out;
  const auto method = message.method_string();
  out.method = {method.data(), method.size()};
  for (const auto& field : message) {
    const std::string_view value(field.value().data(), field.value().size());
    if (field.name() == http::field::host) ++out.hosts, out.host = value;
    if (field.name() == http::field::authorization) ++out.authorizations, out.authorization = value;
  }
  return out;
}

/// The problem of a request that could not be read.
inline Problem malformed(const boost::system::error_code& error) {
  namespace http = boost::beast::http;
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return {431, "header_too_large", "the request's header is too large", {}};
  if (error == http::error::body_limit)
    return {413, "body_too_large", "the request's body is too large", {}};
  return {400, "malformed", "the request is not HTTP/1.1: " + error.message(), {}};
}

}  // namespace virtseer::api
