#include "cli/invocation.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <memory>
#include <sstream>

#include "base/text.h"
#include "cli/nearest.h"
#include "daemon/config_size.h"
#include "virtseer/api/exit_codes.h"
#include "virtseer/version.h"

namespace virtseer::cli {
namespace {

std::string durationFault(const std::string& text) {
  return parseDuration(text) ? "" : "must be a duration such as 250ms, 5s, 15m, 1h or 7d";
}
std::string sizeFault(const std::string& text) {
  return parseSize(text) ? "" : "must be a size such as 4096, 64KiB, 16MiB or 2GiB";
}
std::string momentFault(const std::string& text) {
  const std::string_view span = text.starts_with('-') ? std::string_view(text).substr(1) : text;
  const bool known = text == "now" || parseDuration(span) || parseRfc3339(text);
  return known
             ? ""
             : "must be a time such as 2026-01-31T08:05:00Z, a span before now such as 15m, or now";
}
std::string labelFault(const std::string& text) {
  const auto equals = text.find('=');
  return equals != std::string::npos && equals > 0 ? "" : "must be KEY=VALUE";
}
std::string idFault(const std::string& text) {
  std::uint64_t id = 0;
  const auto* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, id);
  return read.ec == std::errc() && read.ptr == end
             ? ""
             : "must be the whole number that the page after it tells";
}

std::string nameFault(const std::string& text) {
  if (text.empty()) return "must not be empty";
  return printable(text) == text ? "" : "has characters that cannot be typed: use its UUID";
}
/// The parts between commas.
std::vector<std::string> commaSeparated(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t comma = 0; comma != text.npos; text.remove_prefix(comma + 1)) {
    comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == text.npos) break;
  }
  return parts;
}
std::string emptyFault(const std::string& text) {
  return text.empty() ? "must not be empty" : "";
}

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 failed, or the doctor found an error; 2 wrong usage or configuration;\n"
    "3 no daemon answers; 4 refused; 5 nothing to do, the plan has no step; 6 an operation failed\n"
    "and the VM is safe; 7 a VM needs a person.";

/// What --vsock means without a port.
constexpr const char* kUsualPort = "usual";

const CLI::Validator kName(nameFault, "");
const CLI::Validator kSomething(emptyFault, "");
const CLI::Validator kDuration(durationFault, "");
const CLI::Validator kSize(sizeFault, "");
const CLI::Validator kMoment(momentFault, "");
const CLI::Validator kLabel(labelFault, "");
const CLI::Validator kId(idFault, "");
const std::vector<std::string> kAggregations{"mean", "min", "max", "last", "sum",     "count",
                                             "p50",  "p95", "p99", "rate", "increase"};

/// The command line's grammar and what has been read into it so far.
class Grammar {
 public:
  Grammar() {
    app_.set_version_flag("--version", std::string("virtseer ") + kVersion);
    auto* socket = app_.add_option("--socket", connection_.socket, "UNIX socket of the daemon");
    socket->type_name("PATH")->check(kSomething)->capture_default_str();
    auto* url = app_.add_option("--url", connection_.url, "TCP address of the daemon")
                    ->type_name("http://HOST:PORT")
                    ->check(kSomething)
                    ->excludes(socket);
    app_.add_option("--token-file", connection_.token_file, "file with the token for --url")
        ->type_name("FILE")
        ->check(kSomething)
        ->needs(url);
    app_.add_option("--output", output_, "table, or json: the REST body")
        ->check(CLI::IsMember({"table", "json"}))
        ->type_name("FORMAT")
        ->capture_default_str();
    app_.footer(kExitCodes);
    app_.require_subcommand(1);
    app_.fallthrough();
    addDaemon();
    addViews();
    addSeries();
    addEvents();
    addLoad();
    addEcho();
    addDecisions();
    addMigrate();
    addOperations();
    addSwitches();
    addConfig();
    addAppliance();
    addCare();
  }

  Parsed parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());
    std::ostringstream out, err;
    try {
      app_.parse(std::move(arguments));
      Invocation invocation{connection_, output_ == "json" ? Output::json : Output::table, take_()};
      return {std::move(invocation), api::kDone, "", ""};
    } catch (const CLI::ParseError& error) {
      if (auto unknown = unknownCommand(); !unknown.empty())
        return {std::nullopt, api::kUsage, "", unknown};
      const int code = app_.exit(error, out, err) == 0 ? api::kDone : api::kUsage;
      return {std::nullopt, code, out.str(), err.str()};
    }
  }

  std::vector<CommandName> names() const {
    std::vector<CommandName> out{{"", longOptions(app_)}};
    collect(app_, "", out);
    return out;
  }

 private:
  /// A sentence on the word that stands where a command should; empty if none does.
  std::string unknownCommand() const {
    const auto all = [](const CLI::App*) { return true; };
    const CLI::App* last = &app_;
    while (!last->get_subcommands().empty()) last = last->get_subcommands().back();
    const auto known = last->get_subcommands(all);
    const auto rest = app_.remaining(true);
    if (known.empty() || rest.empty() || rest.front().starts_with('-')) return {};
    std::vector<std::string> names;
    for (const CLI::App* sub : known) names.push_back(sub->get_name());
    const std::string near = nearestWord(rest.front(), names);
    return "virtseer: unknown command " + printable(rest.front()) +
           (near.empty() ? "; --help lists the commands\n" : "; did you mean " + near + "?\n");
  }
  static std::vector<std::string> longOptions(const CLI::App& app) {
    std::vector<std::string> out;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
    return out;
  }
  static void collect(const CLI::App& app, const std::string& prefix,
                      std::vector<CommandName>& out) {
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
      const std::string name = prefix + sub->get_name();
      const auto inner = sub->get_subcommands([](const CLI::App*) { return true; });
      if (inner.empty()) out.push_back({name, longOptions(*sub)});
      collect(*sub, name + " ", out);
    }
  }

  /// A command whose options are read into the structure that is returned.
  template <class T>
  std::pair<CLI::App*, T*> add(CLI::App& parent, const char* name, const char* sentence) {
    auto* sub = parent.add_subcommand(name, sentence);
    auto read = std::make_shared<T>();
    kept_.push_back(read);
    T* into = read.get();
    sub->callback([this, into] { take_ = [into] { return Command(*into); }; });
    return {sub, into};
  }

  void addDaemon() {
    auto [sub, into] = add<RunDaemon>(app_, "daemon", "Run the daemon in the foreground");
    sub->add_option("--config", into->config, "its configuration")
        ->type_name("FILE")
        ->capture_default_str();
  }

  void addViews() {
    add<ShowStatus>(app_, "status", "Show how the daemon is, its problems first");
    add<ShowHosts>(app_, "hosts", "List the hosts with their load");
    auto [vms, list] = add<ShowVms>(app_, "vms", "List the VMs with what they use");
    vms->add_flag("--gone", list->gone, "also those known from history only");
    auto [vm, one] = add<ShowVm>(app_, "vm", "Show one VM from inside and from outside");
    vm->add_option("NAME", one->name, "name or UUID")->required()->check(kName);
    vm->add_flag("--echo", one->echo, "all that the agent inside told last");
  }

  void addEcho() {
    auto [top, shown] =
        add<ShowTop>(app_, "top", "Show the processes of a VM, now or as they were");
    top->add_option("VM", shown->vm, "name or UUID")->required()->check(kName);
    top->add_option("--table", shown->table, "another table of the guest")
        ->type_name("NAME")
        ->check(kName)
        ->capture_default_str();
    top->add_option("--at", shown->at, "as it was then [now]")->type_name("TIME")->check(kMoment);
    auto [sub, into] = add<ShowCollection>(app_, "collection",
                                           "Show or change how often and what an agent collects");
    sub->add_option("VM", into->vm, "name or UUID")->required()->check(kName);
    sub->add_option_function<std::string>(
           "--interval", [into](const std::string& text) { into->interval = *parseDuration(text); },
           "time from one echo to the next")
        ->check(kDuration)
        ->type_name("DURATION");
    sub->add_option("--top", into->top, "so many processes and the like at most")
        ->check(CLI::Range(0, 256))
        ->type_name("N");
    sub->add_option_function<std::string>(
           "--collectors",
           [into](const std::string& text) { into->collectors = commaSeparated(text); },
           "only these, or all")
        ->check(kSomething)
        ->type_name("NAME,...");
    sub->add_flag("--default", into->defaults, "take back what was said of this VM");
  }

  void addSeries() {
    auto [sub, into] = add<ShowSeries>(app_, "series", "Show a metric of a VM or host over time");
    sub->add_option("NAME", into->name, "name or UUID of a VM or host")->required()->check(kName);
    sub->add_option("METRIC", into->metric,
                    "metric; without one the names of all series are listed");
    sub->add_option("--from", into->from, "begin [1h]")->check(kMoment)->type_name("TIME");
    sub->add_option("--to", into->to, "end [now]")->check(kMoment)->type_name("TIME");
    sub->add_option("--step", into->step, "fold points into steps of this length")
        ->check(kDuration)
        ->type_name("DURATION");
    sub->add_option("--aggregation", into->aggregation, "how points are folded [mean]")
        ->check(CLI::IsMember(kAggregations))
        ->type_name("NAME");
    sub->add_option("--label", into->labels, "only series with this label; may be repeated")
        ->check(kLabel)
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->take_all();
    sub->add_option("--source", into->source, "only guest, libvirt or host")
        ->check(CLI::IsMember({"guest", "libvirt", "host"}))
        ->type_name("SOURCE");
  }

  void addEvents() {
    auto [sub, into] = add<ShowEvents>(app_, "events", "Show what happened, the newest last");
    sub->add_option("--vm", into->vm, "only this VM or host")->type_name("NAME")->check(kName);
    sub->add_option("--from", into->from, "begin")->check(kMoment)->type_name("TIME");
    sub->add_option("--to", into->to, "end")->check(kMoment)->type_name("TIME");
    sub->add_option("--severity", into->severity, "at least info, warning or error")
        ->check(CLI::IsMember({"info", "warning", "error"}))
        ->type_name("LEVEL");
    sub->add_option("--kind", into->kind, "only kinds that begin so, such as vm.")
        ->type_name("PREFIX");
    sub->add_option("--limit", into->limit, "at most so many [100]")
        ->check(CLI::Range(1, 1000))
        ->type_name("N");
    sub->add_option("--before", into->before, "only what came before this id: the page before")
        ->check(kId)
        ->type_name("ID");
  }

  void addLoad() {
    auto [sub, into] = add<OrderLoad>(app_, "load", "Make a lab guest or a shadow work");
    sub->add_option("VM", into->vm, "name or UUID")->required()->check(kName);
    auto* cpu = sub->add_option("--cpu", into->cpu_cores, "cores kept busy")
                    ->check(CLI::Range(0.0, 4096.0))
                    ->type_name("CORES");
    auto* memory = sub->add_option_function<std::string>(
        "--memory", [into](const std::string& text) { into->memory_bytes = *parseSize(text); },
        "memory touched and kept");
    memory->check(kSize)->type_name("SIZE");
    auto* disk = sub->add_option_function<std::string>(
        "--disk",
        [into](const std::string& text) { into->disk_bytes_per_second = *parseSize(text); },
        "bytes written per second");
    disk->check(kSize)->type_name("SIZE");
    auto* ramp = sub->add_option_function<std::string>(
        "--ramp", [into](const std::string& text) { into->ramp = *parseDuration(text); },
        "time to rise to it");
    ramp->check(kDuration)->type_name("DURATION");
    auto* duration = sub->add_option_function<std::string>(
        "--for", [into](const std::string& text) { into->duration = *parseDuration(text); },
        "how long, ramp included");
    duration->check(kDuration)->type_name("DURATION");
    auto* stop = sub->add_flag("--stop")->description("end it now");
    for (auto* other : {cpu, memory, disk, ramp, duration}) stop->excludes(other);
    sub->callback([this, into, stop] {
      const bool stopping = stop->count() > 0;
      if (!stopping && into->duration == Millis(0))
        throw CLI::ValidationError("--for", "say how long, or --stop");
      if (into->ramp > into->duration)
        throw CLI::ValidationError("--ramp", "must not be longer than --for");
      take_ = [into] { return Command(*into); };
    });
  }

  void addDecisions() {
    auto [forecast, foreseen] = add<ShowForecast>(
        app_, "forecast", "Show what a VM will want, and how well that was known");
    forecast->add_option("VM", foreseen->vm, "name or UUID")->required()->check(kName);
    add<ShowPlan>(app_, "plan", "Show the newest plan: what to move, why, and why nothing else");
    auto [rank, ranked] = add<RankHosts>(app_, "rank", "Rank the hosts as places for a VM");
    rank->add_option("VM", ranked->vm, "name or UUID")->required()->check(kName);
    auto [explain, explained] = add<Explain>(app_, "explain", "Tell why something was decided");
    explain->add_option("ID", explained->id, "of a plan, of a step of one, or of an operation")
        ->required()
        ->check(kName);
  }

  void addMigrate() {
    auto [sub, into] = add<MigrateVm>(app_, "migrate", "Move a VM to another host while it runs");
    sub->add_option("VM", into->vm, "name or UUID")->required()->check(kName);
    sub->add_option("HOST", into->to, "name or UUID [the best one]")->check(kName);
    auto* dry_run = sub->add_flag("--dry-run", into->dry_run, "only tell what the move would meet");
    sub->add_flag("--copy-storage", into->copy_storage, "copy disks that the host does not reach");
    auto* wait = sub->add_flag("--wait", into->wait, "follow it to its end")->excludes(dry_run);
    sub->add_option_function<std::string>(
           "--timeout", [into](const std::string& text) { into->timeout = *parseDuration(text); },
           "follow it for so long at most")
        ->check(kDuration)
        ->type_name("DURATION")
        ->needs(wait);
  }

  void addOperations() {
    auto [list, filter] = add<ShowOperations>(app_, "operations", "List moves, the newest first");
    list->add_flag("--active", filter->active, "only those that have not ended");
    list->add_option("--vm", filter->vm, "only of this VM")->type_name("VM")->check(kName);
    list->add_option("--limit", filter->limit, "at most so many [100]")
        ->check(CLI::Range(1, 1000))
        ->type_name("N");
    auto [show, one] = add<ShowOperation>(app_, "operation", "Show one move, step by step");
    show->add_option("ID", one->id, "its id")->required()->check(kName);
    auto [abort, aborted] =
        add<AbortOperation>(app_, "abort", "Stop a move: the VM stays where it was");
    abort->add_option("ID", aborted->id, "its id")->required()->check(kName);
    abort->add_flag("--fenced", aborted->fenced,
                    "you confirm that the silent host is powered off for good: end the uncertain "
                    "move without it");
  }

  void addSwitches() {
    auto* policy = app_.add_subcommand("policy", "What virtseer may do by itself");
    policy->require_subcommand(1);
    auto [show, shown] =
        add<ShowPolicy>(*policy, "show", "Show what holds for a VM, and whose word");
    show->add_option("VM", shown->vm, "name or UUID")->required()->check(kName);
    const CLI::IsMember on_or_off({"on", "off"});
    auto [maintenance, host] =
        add<SetMaintenance>(app_, "maintenance", "Have a host give up its VMs and take none");
    maintenance->add_option("HOST", host->host, "name or UUID")->required()->check(kName);
    maintenance
        ->add_option_function<std::string>(
            "STATE", [host](const std::string& text) { host->on = text == "on"; }, "on or off")
        ->required()
        ->check(on_or_off);
    auto [automation, automate] =
        add<Automate>(app_, "automation", "Show, stop or start what virtseer does by itself");
    automation
        ->add_option_function<std::string>(
            "STATE", [automate](const std::string& text) { automate->on = text == "on"; },
            "on or off [only tell]")
        ->check(on_or_off);
  }

  void addConfig() {
    auto* config = app_.add_subcommand("config", "Look at the configuration");
    config->require_subcommand(1);
    auto [check, checked] =
        add<CheckConfig>(*config, "check", "Check it and tell all faults at once");
    check->add_option("FILE", checked->file, "the file")->capture_default_str();
    auto [show, shown] =
        add<ShowConfig>(*config, "show", "Print what is in force, with conf.d and defaults");
    show->add_option("FILE", shown->file, "the file")->capture_default_str();
  }

  void addAppliance() {
    auto* appliance = app_.add_subcommand("appliance", "The probe appliance");
    appliance->require_subcommand(1);
    auto [build, into] = add<BuildAppliance>(
        *appliance, "build", "Make its kernel and initramfs from Debian's kernel and the agent");
    build->add_option("--kernel", into->kernel, "kernel package [downloaded by apt]")
        ->type_name("FILE.deb");
    build->add_option("--directory", into->directory, "folder to write to")
        ->type_name("DIR")
        ->capture_default_str();
    build
        ->add_option("--agent", into->agent,
                     "virtseer-agent [beside this program, else /usr/lib/virtseer]")
        ->type_name("FILE");
  }

  void addCare() {
    auto [sub, into] =
        add<EnrollVm>(app_, "enroll", "Give a VM what its guest needs to be heard, while it runs");
    sub->add_option("VM", into->vm, "name or UUID")->required()->check(kName);
    sub->add_flag("--dry-run", into->dry_run, "only tell what would be done");
    auto* remove = sub->add_flag("--remove", into->remove, "take it back");
    auto* next = sub->add_flag("--next-start", into->next_start,
                               "change its definition alone: it counts from its next start on");
    auto* vsock = sub->add_option_function<std::string>(
                         "--vsock",
                         [into](const std::string& text) {
                           into->way = "vsock";
                           into->address = text == kUsualPort ? "" : text;
                         },
                         "by vsock instead of its channel: make a token")
                      ->type_name("PORT")
                      ->expected(0, 1)
                      ->default_str(kUsualPort);
    auto* tls = sub->add_option_function<std::string>(
                       "--tls",
                       [into](const std::string& text) {
                         into->way = "tls";
                         into->address = text;
                       },
                       "by TCP with TLS: make a token; where the guest reaches this host")
                    ->type_name("ADDRESS:PORT")
                    ->check(kSomething);
    auto* token = sub->add_flag("--show-token", into->show_token,
                                "print the token, on a terminal and over the UNIX socket only");
    tls->excludes(vsock);
    next->excludes(vsock)->excludes(tls);
    remove->excludes(vsock)->excludes(tls)->excludes(token);
    sub->callback([this, into] {
      if (into->show_token && (!connection_.url.empty() || output_ == "json"))
        throw CLI::ValidationError("--show-token", "goes with neither --url nor json");
      if (into->show_token && into->way.empty())
        throw CLI::ValidationError("--show-token",
                                   "goes with --vsock or --tls: a channel has none");
      take_ = [into] { return Command(*into); };
    });
    auto [doctor, shown] =
        add<ShowDoctor>(app_, "doctor", "Tell what keeps virtseer from seeing, and what to do");
    doctor->add_flag("--strict", shown->strict, "a warning ends with 1 as well");
  }

  CLI::App app_{"Foresees what the VMs of a KVM/libvirt host will need.", "virtseer"};
  Connection connection_;
  std::string output_ = "table";
  std::vector<std::shared_ptr<void>> kept_;  ///< what the options are read into
  std::function<Command()> take_;
};

}  // namespace

Parsed parse(std::vector<std::string> arguments) {
  return Grammar().parse(std::move(arguments));
}

std::vector<CommandName> commandNames() {
  return Grammar().names();
}

}  // namespace virtseer::cli
