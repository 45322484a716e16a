#include "cli/main.h"

int main(int argc, char** argv) {
  return virtseer::cli::run(argc, argv);
}
