#include <catch2/catch.hpp>

#include "cli/care_tables.h"
#include "golden/cli/golden_tables.h"

namespace virtseer::cli {

TEST_CASE("enrolling as a person sees it", "[golden]") {
  compare("cli_enroll.txt", enrollText(body("cli_enroll.json")));
  compare("cli_enroll_not.txt", enrollText(body("cli_enroll_not.json")));
  compare("cli_enroll_tls.txt", enrollText(body("cli_enroll_tls.json")));
  CHECK(enrollFits(body("cli_enroll.json")));
  CHECK_FALSE(enrollFits(body("cli_enroll_not.json")));
  CHECK(tokenFileOf(body("cli_enroll.json")).empty());
  CHECK(tokenFileOf(body("cli_enroll_tls.json")).ends_with(".token"));
}

TEST_CASE("the doctor as a person hears it", "[golden]") {
  compare("cli_doctor.txt", doctorText(body("cli_doctor.json")));
  CHECK(*doctorText(R"({"items":[],"next":null})") == "nothing keeps virtseer from seeing\n");
  CHECK(doctorAlarms(body("cli_doctor.json"), false));
  constexpr auto kWarning = R"({"items":[{"severity":"warning"},{"severity":"info"}],"next":null})";
  CHECK_FALSE(doctorAlarms(kWarning, false));
  CHECK(doctorAlarms(kWarning, true));
  CHECK_FALSE(doctorAlarms(R"({"items":[{"severity":"info"}],"next":null})", true));
}

}  // namespace virtseer::cli
