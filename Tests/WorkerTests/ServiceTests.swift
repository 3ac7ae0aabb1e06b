import Glibc
import Posix
import Spool
import Synchronization
import Telemetry
import Testing

@testable import Worker

@Suite struct ServiceTests {
    @Test func onceDoesWhatIsThereAndEnds() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b", "c"] { try bench.drop(id) }
        try Files.append(Array("nonsense".utf8), to: "\(bench.folders.inbox)/bad.json")
        try Files.append(Array("words".utf8), to: "\(bench.folders.inbox)/notes.txt")
        bench.options.queue.capacity = 1
        let service = try bench.serve()
        #expect(bench.results == ["a", "b", "bad", "c"] && bench.entries == [])
        #expect(bench.result("b").contains("done") && bench.result("bad").contains("rejected"))
        #expect(service.tally.published == [.done: 3])
        #expect(try Files.list(bench.folders.inbox) == ["notes.txt"])
        #expect(bench.names.first == "service-ready" && bench.names.last == "service-stopped")
        let status = try #require(try ServiceStatus.read(bench.folders))
        #expect(
            status.state == .stopped && status.published == ["done": 3, "rejected": 1] && status.queue == []
                && status.pid == getpid())
    }

    @Test func aScraperFindsTheNumbers() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b"] { try bench.drop(id) }
        try Files.append(Array("nonsense".utf8), to: "\(bench.folders.inbox)/bad.json")
        bench.options.metricsFile = "\(bench.path)/primed.prom"
        try bench.serve(#"[ $id = b ] && [ ! -e $folder/../again ] && touch $folder/../again && exit 1; seal"#)
        try Files.removeTree("\(bench.folders.work)/again")
        let lines = String(decoding: try Files.read("\(bench.path)/primed.prom", limit: 1 << 16), as: UTF8.self)
            .split(separator: "\n").map(String.init)
        for line in [
            "primed_up 0", #"primed_jobs_total{result="done"} 2"#, #"primed_jobs_total{result="rejected"} 1"#,
            #"primed_jobs_total{result="failed"} 0"#, "primed_attempts_failed_total 1",
            "primed_attempt_duration_seconds_count 2", #"primed_slots{state="free"} 1"#,
            #"primed_queue_jobs{state="running"} 0"#,
        ] { #expect(lines.contains(line), "\(line)") }
        // Every sample has its help and its type before it, and no family comes twice.
        let families = lines.filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) }
        #expect(Set(families).count == families.count)
        for line in lines where !line.hasPrefix("#") {
            #expect(families.contains { line.hasPrefix($0) }, "\(line)")
            #expect(Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
        }
    }

    @Test func onceWithAnEmptyInboxEndsAtOnce() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.serve()
        #expect(bench.names == ["service-ready", "service-stopped"])
    }

    @Test func aJobThatKillsItsWorkerIsGivenUpAndOthersGoOn() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("poison")
        try bench.drop("good")
        try bench.serve(#"[ $id = poison ] && kill -9 $$; seal"#)
        #expect(bench.results == ["good", "poison"] && bench.entries == [])
        #expect(bench.names.filter { $0 == "attempt-failed" }.count == 3)
        #expect(bench.result("poison").contains("quarantined") && bench.result("poison").contains("worker-signal-9"))
        #expect(
            try Files.read("\(bench.folders.kept)/poison/job/manifest.json", limit: 99) == Array("id poison".utf8))
    }

    @Test func aWorkerThatGetsOnIsNotGivenUp() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("slow")
        // Six crashes, but the journal grows each time.
        try bench.serve(
            #"mkdir -p $folder/rounds; echo x >> $folder/rounds/j; [ $(wc -l < $folder/rounds/j) = 7 ] && seal || exit 1"#
        )
        #expect(bench.result("slow").contains("done"))
        #expect(bench.names.filter { $0 == "attempt-failed" }.count == 6)
    }

    @Test func whatIsNoMessageIsCountedAndPassedOver() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        try bench.serve(
            #"printf 'noise\n\377\376\n{"progress":3}\n{}\n' >&3; head -c 200000 /dev/zero >&3; say; say '{"failed":'; seal"#
        )
        #expect(bench.result("a").contains("done"))
        let noise = bench.events.first { $0.kind == .workerNoise }
        #expect(noise == Event.workerNoise("a", lines: 6))
    }

    @Test(arguments: [
        #"{"progress":{"targets":1,"finished":9223372036854775807,"stage":"x"}}"#,
        #"{"progress":{"targets":-1,"finished":-1,"stage":"x"}}"#,
        #"{"progress":{"targets":1,"finished":0,"stage":"x","batch":1e300}}"#,
        #"{"progress":{"targets":1,"finished":0,"stage":"x","remaining":1e300}}"#,
        #"{"progress":{"targets":1,"finished":0,"stage":"\\u001b[31m"}}"#,
        #"{"progress":{"targets":1,"finished":0,"stage":"x","user":"a b"}}"#,
    ])
    func aMessageThatNoWorkerSaysIsNoise(line: String) throws {
        #expect(WorkerMessage(line: Array(line.utf8)) == nil)
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        try bench.serve("say '\(line)'; sleep 0.2; seal")
        #expect(bench.result("a").contains("done"))
        #expect(bench.events.contains(Event.workerNoise("a", lines: 1)))
    }

    @Test func aPermanentFailureIsPublishedWithItsWords() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        try bench.serve(
            #"say '{"failed":{"problem":{"code":"model-missing","message":"m","where":"base"},"kind":"permanent"}}'; exit 65"#
        )
        #expect(bench.result("a").contains(#""code" : "model-missing""#) && bench.result("a").contains("failed"))
        #expect(bench.names.filter { $0 == "attempt-started" }.count == 1)
    }

    @Test func aPassingFailureIsTriedAgain() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["passes", "stays"] { try bench.drop(id) }
        try bench.serve(
            #"[ $id = passes ] && [ -e $folder/again ] && seal && exit; touch $folder/again; "#
                + #"say '{"failed":{"problem":{"code":"disk-full","message":"m","where":"disk"},"kind":"passing"}}'; exit 70"#
        )
        #expect(bench.result("passes").contains("done"))
        #expect(bench.result("stays").contains("disk-full"))
        #expect(bench.names.filter { $0 == "attempt-started" }.count == 5)
    }

    @Test func aDeviceThatIsNotReadyCostsTheJobNothing() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        bench.limits.crashes = 1
        // Twice it is not, then it is: with one attempt that may fail.
        try bench.serve(
            #"echo x >> "$folder/../../tries"; [ $(wc -l < "$folder/../../tries") -ge 3 ] && seal && exit; "#
                + #"say '{"failed":{"problem":{"code":"device-not-ready","message":"m","where":"cuda:0"},"kind":"device-not-ready"}}'; "#
                + "exit 70")
        #expect(bench.result("a").contains("done"))
        #expect(bench.names.filter { $0 == "device-not-ready" }.count == 2)
        #expect(!bench.names.contains("attempt-failed"))
    }

    @Test func devicesRestLongerEachTimeUntilTheyWork() {
        var devices = DeviceStates()
        #expect(devices.allow("cuda:0", at: 0))
        #expect(devices.rest("cuda:0", first: 15, at: 0) == 15)
        #expect(!devices.allow("cuda:0", at: 14.9) && devices.allow("cuda:0", at: 15) && devices.allow("cuda:1", at: 0))
        #expect(devices.nextTry(after: 0) == 15 && devices.nextTry(after: 15) == nil)
        var pauses = (0..<6).map { devices.rest("cuda:0", first: 15, at: Double($0)) }
        #expect(pauses == [30, 60, 120, 240, 300, 300])
        devices.works("cuda:0")
        pauses = [devices.rest("cuda:0", first: 15, at: 0)]
        #expect(pauses == [15] && devices.notReady == ["cuda:0"] && devices.lost.isEmpty)
    }

    @Test func onTermTheWorkerStopsAndTheJobGoesOnLater() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b"] { try bench.drop(id) }
        let (signals, inbox) = (bench.signals, bench.folders.inbox)
        bench.when("attempt-started") {
            // The worker needs a moment for its trap.
            usleep(100_000)
            try? signals.announce(SIGTERM)
            try? Files.append(Array("id late".utf8), to: "\(inbox)/late.json", durable: false)
        }
        for _ in 0..<4 { try bench.serve(#"trap 'exit 75' TERM; while :; do sleep 0.01; done"#, once: false) }
        #expect(bench.names.filter { $0 == "job-requeued" }.count == 4)
        #expect(bench.results == [] && bench.entries.count >= 2)
        #expect(try ServiceStatus.read(bench.folders)?.state == .stopped)
        bench.when("attempt-started") {}
        try bench.serve()
        #expect(bench.results == ["a", "b", "late"] && bench.entries == [])
        #expect(!bench.names.contains("attempt-failed"))
    }

    @Test func whoDoesNotStopInTimeIsKilledAndTheJobGoesOnLater() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        bench.options.stopSeconds = 0.2
        let signals = bench.signals
        bench.when("attempt-started") {
            usleep(100_000)
            try? signals.announce(SIGTERM)
        }
        try bench.serve(#"trap '' TERM; while :; do sleep 0.01; done"#, once: false)
        #expect(bench.names.contains("job-requeued") && !bench.names.contains("attempt-failed"))
        #expect(bench.entries.count == 1)
    }

    @Test func workersGetTheConfigurationThatIsInForce() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        bench.options.configuration = Array("{ slots: 1 }".utf8)
        var next = bench.options
        next.configuration = Array("{ slots: 2 }".utf8)
        let (inbox, signals) = (bench.folders.inbox, bench.signals)
        bench.when("service-ready") {
            try? Files.append(Array("id a".utf8), to: "\(inbox)/a.json", durable: false)
        }
        // The second time the file is broken.
        let texts = Mutex([next])
        let published = Atomic(0)
        bench.when("job-published") {
            let count = published.wrappingAdd(1, ordering: .relaxed).newValue
            try? signals.announce(count < 3 ? SIGHUP : SIGTERM)
        }
        bench.when("service-reloaded") {
            try? Files.append(Array("id b".utf8), to: "\(inbox)/b.json", durable: false)
        }
        bench.when("reload-refused") {
            try? Files.append(Array("id c".utf8), to: "\(inbox)/c.json", durable: false)
        }
        try bench.serve(#"cat > "$folder/../../$id.read"; seal"#, once: false) {
            texts.withLock { $0.popLast() }.map { ($0, Spool.Limits()) }
        }
        func read(_ id: String) throws -> String {
            String(decoding: try Files.read("\(bench.path)/\(id).read", limit: 99), as: UTF8.self)
        }
        #expect(try read("a") == "{ slots: 1 }")
        #expect(try read("b") == "{ slots: 2 }" && read("c") == "{ slots: 2 }")
    }

    @Test func aSecondTermEndsTheWorkerAtOnce() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let signals = bench.signals
        bench.when("attempt-started") {
            usleep(100_000)
            try? signals.announce(SIGTERM)
            try? signals.announce(SIGINT)
        }
        try bench.serve(#"trap '' TERM; while :; do sleep 0.01; done"#, once: false)
        #expect(bench.names.contains("job-requeued") && bench.entries.count == 1)
    }

    @Test func aStalledWorkerIsKilled() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        bench.options.stallSeconds = 0.3
        bench.limits.crashes = 1
        let start = MonotonicClock.seconds()
        try bench.serve(#"say '{"progress":{"targets":1,"finished":0,"stage":"predict"}}'; sleep 60"#)
        #expect(bench.result("a").contains("worker-stalled"))
        #expect(MonotonicClock.seconds() - start < 30)
    }

    @Test func filesThatComeLaterAreNoticedAndHangupReloads() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        bench.options.rescanSeconds = 1000
        let (inbox, signals) = (bench.folders.inbox, bench.signals)
        bench.when("service-ready") {
            try? Files.append(Array("id a".utf8), to: "\(inbox)/a.json", durable: false)
        }
        bench.when("job-published") { try? signals.announce(SIGHUP) }
        bench.when("service-reloaded") { try? signals.announce(SIGTERM) }
        var more = bench.options
        more.devices = ["cpu", "cpu", "cpu"]
        var limits = Spool.Limits()
        limits.keepsDoneSeconds = 60
        let service = try bench.serve(once: false, reload: { (more, limits) })
        #expect(service.options.devices.count == 3)
        #expect(service.spool.limits == limits)
        #expect(bench.results == ["a"])
    }

    @Test func asManyRunAsThereAreSlots() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        bench.options.devices = ["cpu", "cpu", "cpu"]
        for id in ["a", "b", "c"] { try bench.drop(id) }
        // Each waits until all three are at work.
        let worker = """
            touch $folder/../here-$id
            while [ $(ls $folder/.. | grep -c here-) -lt 3 ]; do sleep 0.01; done
            seal
            """
        try bench.serve(worker)
        #expect(bench.results == ["a", "b", "c"])
    }

    @Test func theStateIsLoggedOnRequest() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b"] { try bench.drop(id) }
        let signals = bench.signals
        bench.when("attempt-started") { try? signals.announce(SIGUSR1) }
        try bench.serve("sleep 0.3; seal")
        let states = bench.events.filter { $0.kind == .jobState }
        #expect(states.contains(.jobState("a", state: "running", attempt: 1, finished: 0, targets: 0)))
        #expect(states.contains(.jobState("b", state: "waiting", attempt: 0, finished: 0, targets: 0)))
    }

    @Test func theStatusTellsWhatRuns() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b"] { try bench.drop(id) }
        // The worker ends when it finds its own progress in the status file.
        let progress = #"{"targets":2,"finished":1,"user":"7","stage":"evolve","evaluation":3,"budget":30,"best":0.5}"#
        let worker = """
            if [ $id = a ]; then
                say '{"progress":\(progress)}'
                until grep -q '"evaluation":3' $folder/../status.json; do sleep 0.02; done
                cp $folder/../status.json $folder/../seen-a
            fi
            seal
            """
        try bench.serve(worker)
        let bytes = try Files.read("\(bench.folders.work)/seen-a", limit: 1 << 16)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains(#""best":0.5"#) && text.contains(#""queue":[{"failures":0,"id":"b""#))
    }

    /// Kills the whole daemon at many moments, and its workers with it.
    @Test(arguments: [0, 5, 10, 20, 40, 80, 150, 250]) func aKilledDaemonGoesOn(milliseconds: Int) async throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b", "c"] { try bench.drop(id) }
        let path = bench.path
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, milliseconds = milliseconds as Int] in
            let bench = try ServiceBench(path: path)
            var thread = pthread_t()
            let delay = UnsafeMutablePointer<Int>.allocate(capacity: 1)
            delay.pointee = milliseconds
            pthread_create(
                &thread, nil,
                { delay in
                    usleep(useconds_t(delay!.load(as: Int.self) * 1000))
                    kill(getpid(), SIGKILL)
                    return nil
                }, delay)
            try bench.serve("sleep 0.03; seal")
            while true { pause() }
        }
        try bench.serve()
        #expect(bench.results == ["a", "b", "c"] && bench.entries == [])
        for id in ["a", "b", "c"] { #expect(bench.result(id).contains("done")) }
    }
}
