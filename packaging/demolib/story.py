"""The story: the same rising load twice, first watched to the bitter end, then acted upon in time."""

import contextlib
import time
from http.client import HTTPException

from labkit import moment, seconds
from telling import Failed, cores, percent, shortly, span, wait_for
from world import FULL_CORES, STEADY, STEADY_CORES, WEB

CALIBRATION = 72  # s of steady load, so that forecasts of the shorter horizon were scored
RAMP = 200  # s from nothing to full
MEASURE = 10  # s
BUSY = 0.3  # cores: what else runs on the machine then decides when a host of one core runs short
ENDED = ("done", "refused", "aborted", "failed", "returned", "needs_person")
AUTO = '[policy]\nmode = "auto"\n'


class Story:
    def __init__(self, world, teller):
        self.world, self.teller = world, teller
        self.facts = {}
        self.verdict, self.told = None, 0

    def tell(self):
        """All of it; what was measured is in `facts` as far as it came."""
        self._setting()
        self._calibrate()
        self._watched("observe", self._observe)
        self._relieve()
        self._watched("auto", self._act)
        self._end()

    def _watched(self, phase, tell):
        """Tells a phase, and notes how much of the machine was used by something else meanwhile."""
        begin, before = time.monotonic(), self.world.others()
        self.facts[phase] = {}
        try:
            tell()
        finally:
            # Where the phase was broken off, that is what is to be told.
            with contextlib.suppress(AssertionError, OSError, HTTPException):
                others = (self.world.others() - before) / (time.monotonic() - begin)
                self.facts[phase]["other_load_cores"] = round(max(0.0, others), 3)

    # --- before ---

    def _setting(self):
        world, teller = self.world, self.teller
        teller.chapter("Two hosts with libvirt, QEMU and a virtseer daemon each")
        world.up()
        facts = world.conditions()
        self.facts["conditions"] = facts
        teller.say(f"host-A and host-B are up, each with {cores(facts['host_cpus'])} cores of this machine "
                   f"(accelerator: {facts['accelerator']})")
        world.start_guests()
        teller.say(f"two guests run on host-A: {STEADY}, a neighbour with a steady load, and {WEB}; host-B is idle")

    def _calibrate(self):
        world, teller = self.world, self.teller
        teller.chapter(f"Calibration: {CALIBRATION} s of quiet, in which forecasts are made and scored")
        world.order(world.source, STEADY, STEADY_CORES)
        self._keep_quiet()
        for name in (STEADY, WEB):
            for horizon, item in sorted(world.bands(world.source, name).items()):
                teller.say(f"{name}, CPU within {horizon} s: {band(item)}")

    def _keep_quiet(self):
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < CALIBRATION:
            self.teller.bar(f"{STEADY} keeps {STEADY_CORES} of a core busy, {WEB} is quiet", passed / CALIBRATION)
            time.sleep(0.5)

    # --- first ramp: observe ---

    def _ramp(self):
        self.world.order(self.world.source, WEB, FULL_CORES, ramp=RAMP)
        begin = time.time()
        self.teller.say(f"the load of {WEB} begins to rise: to {FULL_CORES} cores within {RAMP} s")
        self.verdict, self.told = None, time.monotonic()
        return begin

    def _foresee(self, begin, until):
        """Waits for the first plan that would move the guest now; tells how things stand meanwhile."""
        world = self.world
        while time.time() - begin < RAMP:
            plan = world.plan(world.source)
            self._tell_along(plan)
            if (step := world.step(plan, WEB)) and seconds(plan["made"]) > begin:
                return plan, step
            if until():
                raise Failed("the host ran short before that was foreseen")
            time.sleep(0.3)
        raise Failed(f"no plan moves {WEB}, though the host runs short")

    def _tell_along(self, plan):
        """The verdict whenever it is another one, and how things stand every few seconds."""
        verdict = plan["verdict"].split(":")[0] if plan else self.verdict
        if verdict != self.verdict:
            self.verdict = verdict
            self.teller.say(f"the plan of host-A: {plan['verdict']}")
        if time.monotonic() - self.told > 6:
            self.told = time.monotonic()
            self._tell_standing(plan)

    def _tell_standing(self, plan):
        world = self.world
        usage = world.source.vm(WEB)["usage"]
        host = world.outlook(plan, "host-A")
        item = next(iter(sorted(world.bands(world.source, WEB).items())), (None, None))[1]
        risk = host["contention"]["probability"] if host else None
        self.teller.say(f"{WEB} uses {cores(usage['cpu_cores'])} cores; within the next minute {band(item)}; host-A "
                        f"runs short with probability {'?' if risk is None else percent(risk)}")

    def _tell_plan(self, plan, step):
        world, teller = self.world, self.teller
        foreseen = step["from_before"]
        teller.say(f"FORESEEN: host-A {shortly(foreseen['until_ms'])} "
                   f"(probability {percent(foreseen['probability_then'])} then)")
        teller.list([f"{WEB}, CPU within {horizon} s: {band(item)}"
                     for horizon, item in sorted(world.bands(world.source, WEB).items())])
        teller.say("the hosts as places for it, best first:")
        for host in world.source.get(f"vms/{WEB}/ranking")["hosts"]:
            parts = ", ".join(f"{part['name']} {part['value']:.2f} x {part['weight']:g}" for part in host["parts"])
            reasons = "; ".join(one["words"] for one in host["excluded"])
            where = " (it is there now)" if host["current"] else ""
            score = f"score {host['score']:.2f} = {parts}" if parts else "no score"
            teller.list([f"{host['name']}{where}: {score}"])
            teller.list([f"  not: {reasons}"] if reasons else [])
        teller.say(f"the plan: {plan['verdict']}")
        teller.list(step["reasons"] + [f"it would be otherwise: {words}" for words in step["counterfactuals"]])
        downtime = step["cost"]["downtime_ms"]
        still = "not known" if downtime is None else span(downtime)
        teller.list([f"cost: {step['cost']['memory_bytes'] >> 20} MiB to send, {span(step['cost']['duration_ms'])}, "
                     f"standing still for: {still}"])

    def _observe(self):
        world, teller = self.world, self.teller
        teller.chapter("First the load rises while virtseer only observes")
        begin = self._ramp()
        facts = self.facts["observe"]
        facts["ramp_started"] = moment(begin)
        plan, step = self._foresee(begin, lambda: world.event(world.source, "host.contended", begin))
        made = seconds(plan["made"])
        facts["forecast_at_s"] = made - begin
        facts["predicted_lead_s"] = (step["from_before"]["until_ms"] or 0) / 1000
        facts["plan"] = {"id": plan["id"], "vm": step["vm_name"], "from": step["from_name"], "to": step["to_name"],
                         "mode": step["mode"], "executable": step["executable"], "held_back": step["held_back"]}
        self._tell_plan(plan, step)
        teller.say(f"nothing is done: {step['held_back']}")

        def contended():
            usage = world.source.vm(WEB)["usage"]
            teller.bar(f"{WEB} uses {cores(usage['cpu_cores'])} cores and waits for "
                       f"{cores(usage['cpu_delay_cores'])}", (time.time() - begin) / RAMP)
            return world.event(world.source, "host.contended", begin)

        event = wait_for(contended, RAMP + 30, "host-A runs short", every=0.5)
        at = seconds(event["fields"]["since"])
        facts["contended_at_s"] = at - begin
        facts["measured_lead_s"] = at - made
        facts["lead_ratio"] = facts["predicted_lead_s"] / facts["measured_lead_s"] if at > made else None
        teller.say(f"MEASURED: host-A runs short {at - begin:.0f} s after the load began to rise, {at - made:.0f} s "
                   f"after that was foreseen; foreseen were {facts['predicted_lead_s']:.0f} s")
        world.order(world.source, WEB, FULL_CORES)
        teller.say(f"the ramp is cut short: {WEB} now has its full load, {FULL_CORES} cores; {STEADY} wants "
                   f"{STEADY_CORES}, and host-A has {cores(self.facts['conditions']['host_cpus'])}")
        time.sleep(3)
        self._measure(facts, {WEB: world.source, STEADY: world.source})
        facts["moved"] = bool(world.moves(world.source)) or not world.speaks(world.source, WEB)
        teller.say(f"it gets {facts['work_units_per_s']:.0f} units of work a second done; nothing was moved")

    def _measure(self, facts, places):
        done = self.world.work(places, MEASURE)
        facts["work_units_per_s"] = done[WEB]
        facts["neighbour_work_units_per_s"] = done[STEADY]

    def _relieve(self):
        world, teller = self.world, self.teller
        since = time.time()
        world.order(world.source, WEB, None)
        teller.say(f"the load of {WEB} is taken away")
        wait_for(lambda: world.event(world.source, "host.relieved", since), 60, "host-A is relieved", every=0.5)
        teller.say("host-A is relieved")
        teller.say("now virtseer may act by itself (policy mode auto); its daemon on host-A starts anew with an empty "
                   "store, so that it knows nothing of the first ramp")
        world.renew_source(AUTO)
        wait_for(lambda: world.speaks(world.source, WEB), 30, f"{WEB} is heard again")
        self._keep_quiet()
        if world.moves(world.source):
            raise Failed(f"{WEB} was moved before its load rose: {world.moves(world.source)[0]['reasons']}")

    # --- second ramp: auto ---

    def _act(self):
        world, teller = self.world, self.teller
        teller.chapter("The same load rises again, and virtseer may act")
        begin = self._ramp()
        facts = self.facts["auto"]
        facts["ramp_started"] = moment(begin)

        operation, named = self._await_move(begin)
        self._note_forecast(operation, named, begin)
        seen = self._follow(operation)
        facts.update({
            "move_started_at_s": seconds(seen["created"]) - begin, "move_done_at_s": seconds(seen["ended_at"]) - begin,
            "downtime_ms": seen["downtime_ms"], "duration_ms": seen["duration_ms"], "operation": seen["id"],
            "vm": seen["vm_name"], "to": seen["to_name"], "state": seen["state"],
            "verified": seen["state"] == "done" and "verifying" in [step["state"] for step in seen["steps"]],
            "contended_before": bool(world.event(world.source, "host.contended", begin))})
        if seen["state"] != "done":
            raise Failed(f"the move ended as {seen['state']}: {seen['message']}")
        teller.say(f"MOVED: {seen['message']}, {facts['move_done_at_s']:.0f} s after the load began to rise; host-A "
                   f"ran short in the first ramp after {self.facts['observe']['contended_at_s']:.0f} s")
        teller.list([f"libvirt moved it in {span(seen['duration_ms'])}, its guest stood still for "
                     f"{span(seen['downtime_ms'])}"])

    def _await_move(self, begin):
        """(the operation that a plan began, [(plan, step)] as they were seen to name the move meanwhile)."""
        world, named = self.world, []
        while True:
            plan = world.plan(world.source)
            self._tell_along(plan)
            if (step := world.step(plan, WEB, ("due", "holding", "waiting"))) and seconds(plan["made"]) > begin:
                named.append((plan, step))
            moves = [one for one in world.moves(world.source) if one["origin"] == "plan"]
            if moves:
                return moves[-1], named
            if time.time() - begin > RAMP + 30:
                raise Failed("nothing was moved")
            usage = world.source.vm(WEB)["usage"]
            self.teller.bar(f"{WEB} uses {cores(usage['cpu_cores'])} cores", (time.time() - begin) / RAMP)
            time.sleep(0.2)

    def _note_forecast(self, operation, named, begin):
        """When the move was foreseen: by the plan it came from, else by the first that was seen to name it. The
        operation itself is no witness of that: where no plan tells it, it is not known."""
        facts, world = self.facts["auto"], self.world
        origin = world.origin(world.source, operation)
        found = first_before(operation, ([origin] if origin else []) + named, begin)
        facts["forecast_at_s"], facts["forecast_plan"] = None, None
        if not found:
            self.teller.say("no plan is known that named the move before it began")
            return
        plan, step = found
        facts["forecast_at_s"], facts["forecast_plan"] = seconds(plan["made"]) - begin, plan["id"]
        self.teller.say(f"FORESEEN {facts['forecast_at_s']:.1f} s after the load began to rise: host-A "
                        f"{shortly(step['from_before']['until_ms'])}; the plan: {plan['verdict']}")

    def _follow(self, operation):
        """The operation at its end; tells each step and libvirt's progress."""
        world, teller = self.world, self.teller
        told = set()
        end = time.monotonic() + 150
        while True:
            seen = world.source.get(f"operations/{operation['id']}")
            for number, step in enumerate(seen["steps"]):
                if number not in told:
                    told.add(number)
                    note = f": {step['note']}" if step["note"] else ""
                    teller.say(f"operation {seen['id']} is {step['state']}{note}")
            if seen["state"] in ENDED:
                return seen
            progress = seen["progress"] or {}
            if seen["state"] == "migrating":
                teller.bar(f"{progress.get('processed_bytes', 0) >> 20} MiB sent", progress.get("fraction", 0))
            if time.monotonic() > end:
                raise Failed(f"the move did not end: {seen['message']}")
            time.sleep(0.1)

    def _end(self):
        world, teller = self.world, self.teller
        wait_for(lambda: world.speaks(world.target, WEB), 30, f"{WEB} is heard on host-B")
        world.order(world.target, WEB, FULL_CORES)
        teller.say(f"{WEB} has its full load again, {FULL_CORES} cores, on host-B")
        time.sleep(3)
        facts = self.facts["auto"]
        self._measure(facts, {WEB: world.target, STEADY: world.source})
        before = self.facts["observe"]
        gain = facts["work_units_per_s"] / before["work_units_per_s"] if before["work_units_per_s"] else 0
        self.facts["gain_ratio"] = gain
        facts["echoes"], facts["ticks_strictly_increasing"], facts["echoes_missing"] = world.ticks(WEB)
        teller.chapter("Before and after")
        teller.list([f"work done a second:   {WEB:>10} {STEADY:>10}",
                     f"  under contention    {before['work_units_per_s']:10.0f} "
                     f"{before['neighbour_work_units_per_s']:10.0f}",
                     f"  after the move      {facts['work_units_per_s']:10.0f} "
                     f"{facts['neighbour_work_units_per_s']:10.0f}",
                     f"{WEB} gets {gain:.2f} times as much done",
                     f"its own counter rose without a break over {facts['echoes']} echoes: "
                     f"{'yes' if facts['ticks_strictly_increasing'] else 'NO'}"])


def first_before(operation, plans, begin):
    """The first (plan, step) that names this operation's move and was made after `begin` (seconds, wall clock) and
    before the operation was; None if there is none."""
    for plan, step in plans:
        same = (step["vm_name"], step["to_name"]) == (operation["vm_name"], operation["to_name"])
        if same and begin < seconds(plan["made"]) <= seconds(operation["created"]):
            return plan, step
    return None


def in_order(moment_s, other_s):
    """Whether both are known, and in this order."""
    return None not in (moment_s, other_s) and moment_s < other_s


def band(item):
    """The level that a forecast promises, in words."""
    if not item:
        return "nothing is foreseen yet"
    level = item["level"]
    text = (f"on average {cores(level['p50'])} cores, with 80 % at most {cores(level['p80'])}, with 95 % "
            f"{cores(level['p95'])}")
    recent = item["record"]["level"]["recent"]
    if recent["of"]:
        text += f"; of the last {recent['of']} such forecasts {recent['held']} held"
    return text


def faults(facts):
    """What of the promise did not come true, as sentences."""
    observe, auto = facts.get("observe", {}), facts.get("auto", {})
    found = []

    def claim(holds, text):
        if not holds:
            found.append(text)

    contended = observe.get("contended_at_s")
    claim(in_order(observe.get("forecast_at_s"), contended),
          "in observe it was not foreseen before the host ran short")
    claim(observe.get("moved") is False, "in observe something was moved")
    ratio = observe.get("lead_ratio")
    claim(ratio is not None and 0.5 <= ratio <= 2, f"predicted and measured lead differ by more than twice: {ratio}")
    claim(auto.get("forecast_at_s") is not None, "in auto no plan is known that named the move before it began")
    claim(auto.get("forecast_at_s") is None or in_order(auto["forecast_at_s"], contended),
          "in auto it was not foreseen before the host had run short in observe")
    claim(in_order(auto.get("move_done_at_s"), contended),
          "in auto the move was not over before the host had run short in observe")
    claim(auto.get("contended_before") is False, "in auto the host ran short before the move was over")
    claim(auto.get("state") == "done", f"the move is not done: {auto.get('state')}")
    claim(auto.get("verified"), "the move was not verified")
    plan = observe.get("plan", {})
    claim((plan.get("vm"), plan.get("to")) == (auto.get("vm"), auto.get("to")) != (None, None),
          "auto moved something else than observe had named")
    claim(auto.get("ticks_strictly_increasing"), "the guest's counter did not rise without a break")
    claim(auto.get("echoes_missing") == 0, f"echoes of the guest are missing: {auto.get('echoes_missing')}")
    claim(auto.get("downtime_ms") is not None and auto.get("duration_ms") is not None,
          "downtime or duration is not known")
    claim((facts.get("gain_ratio") or 0) >= 1.3, f"the gain is less than 1.3: {facts.get('gain_ratio')}")
    return found


def busy(facts):
    """A sentence where other work on this machine may have decided how the story went, else None."""
    others = max(((facts.get(phase) or {}).get("other_load_cores", 0) for phase in ("observe", "auto")), default=0)
    if others <= BUSY:
        return None
    return (f"something else used {others:.1f} cores of this machine meanwhile: the two hosts need a core each for "
            "themselves, so try again when it is idle")
