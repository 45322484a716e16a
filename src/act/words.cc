#include "act/arrivals.h"
#include "act/settle.h"

namespace virtseer::act {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::wait:
      return "wait";
    case Verdict::stayed:
      return "stayed";
    case Verdict::moved:
      return "moved";
    case Verdict::resume_source:
      return "resume_source";
    case Verdict::restart_source:
      return "restart_source";
    case Verdict::drop_source:
      return "drop_source";
    case Verdict::revive_destination:
      return "revive_destination";
    case Verdict::conflict:
      return "conflict";
    case Verdict::uncertain:
      return "uncertain";
    case Verdict::lost:
      return "lost";
  }
  return "";
}

std::string_view name(ArrivalAct act) {
  switch (act) {
    case ArrivalAct::wait:
      return "wait";
    case ArrivalAct::confirm:
      return "confirm";
    case ArrivalAct::suspend:
      return "suspend";
    case ArrivalAct::resume:
      return "resume";
    case ArrivalAct::destroy:
      return "destroy";
    case ArrivalAct::gone:
      return "gone";
  }
  return "";
}

}  // namespace virtseer::act
