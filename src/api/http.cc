#include "api/http.h"

#include <nlohmann/json.hpp>

#include "api/json.h"

namespace virtseer::api {
namespace {

unsigned status(Code code) {
  switch (code) {
    case Code::invalid:
      return 400;
    case Code::refused:
      return 403;
    case Code::not_found:
      return 404;
    case Code::unsupported:
      return 501;
    case Code::busy:
    case Code::unreachable:
      return 503;
    case Code::timeout:
      return 504;
    case Code::full:
      return 507;
    case Code::corrupt:
    case Code::cancelled:
    case Code::failed:
      return 500;
  }
  return 500;
}

}  // namespace

std::string_view reason(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Internal Server Error";
  }
}

Problem problem(const Error& error) {
  Problem out{status(error.code), std::string(name(error.code)), error.message, {}};
  if (error.code == Code::busy) out.headers.emplace_back("Retry-After", "1");
  return out;
}

Response toResponse(const Problem& problem, std::string_view request_id) {
  Response out;
  out.status = problem.status;
  out.content_type = kProblemType;
  out.body = text(problemJson(problem, request_id));
  out.headers = problem.headers;
  return out;
}

}  // namespace virtseer::api
