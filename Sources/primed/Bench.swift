import Checkpoints
import Compute
import Glibc
import Llama
import Manifest
import Methods
import Posix
import Tasks
import Worker

/// `primed bench`
enum Bench {
    static let command = Command(
        name: "bench", summary: "measure a whole job and the engine, in one run", operands: "MANIFEST",
        operandCount: 1...1,
        description: """
            Does the first target of a manifest without publishing anything and shows the seconds of each phase, the \
            rate of the model's products beside the machine's own large sgemm, prefill and decode rates, the cost of a \
            population evaluation by its size, and the memory. Rates of one run compare with each other; these \
            machines' speeds drift between runs.
            """,
        options: [
            Site.option, Option(name: "threads", value: "N", help: "threads (default: the configuration's)"),
            Option(name: "rounds", value: "N", help: "repetitions; the fastest counts (default: 3)"),
            Option(name: "json", value: nil, help: "print one JSON object"),
        ],
        exits: [(Exit.ok, "measured"), (Exit.badData, "the manifest is mistaken")],
        examples: ["primed bench examples/debian/bench.json"]
    ) { arguments in
        var site = try Site(arguments)
        site.configuration.threads = try arguments.integer("threads", default: site.configuration.threads, in: 0...1024)
        let path = arguments.operands[0]
        let absolute = path.hasPrefix("/") ? path : "\(currentFolder())/\(path)"
        let manifest = try JobManifest(try Files.read(absolute, limit: 1 << 28), file: path)
        let rounds = try arguments.integer("rounds", default: 3, in: 1...100)
        let report = try measure(
            manifest, Names(folder: Files.parent(of: absolute), configuration: site.configuration),
            site.configuration.engineOptions, rounds: rounds)
        show(arguments.has("json") ? try json(report, pretty: true) : report.table)
        return Exit.ok
    }

    private static func measure(
        _ manifest: JobManifest, _ names: Names, _ options: EngineOptions, rounds: Int
    ) throws -> BenchReport {
        let loading = MonotonicClock.seconds()
        let inputs = try JobInputs(manifest, names: names)
        let model = Llama(inputs.folder, options: options)
        let load = MonotonicClock.seconds() - loading
        guard let target = inputs.targets.first else { throw Failure(Exit.badData, "the manifest has no target") }
        let run = BenchRun(manifest: manifest, inputs: inputs, model: model)
        var report = BenchReport(threads: options.threads)
        report.seconds["load"] = load
        var best = Double.infinity
        for _ in 0..<rounds {
            let sgemm = sgemmRate(threads: options.threads)
            let before = model.statistics
            let phases = try run.whole(target)
            let after = model.statistics
            guard phases.total < best else { continue }
            best = phases.total
            report.note(phases, load: load)
            let seconds = after.productThreadSeconds - before.productThreadSeconds
            report.productRate =
                (after.productOperations - before.productOperations) / seconds * Double(options.threads) * 1e-9
            report.sgemmRate = sgemm * 1e-9
            report.productShare = seconds / Double(options.threads) / phases.total
        }
        for population in [1, 5, 10, 20, 40] {
            report.populations.append(try run.population(target, population, rounds: rounds))
        }
        report.note(model.statistics)
        return report
    }
}

/// The measured work of a bench.
struct BenchRun {
    let manifest: JobManifest
    let inputs: JobInputs
    let model: Llama<CPUBackend>

    /// One target's whole run, nothing published.
    func whole(_ target: JobInputs.Target) throws -> PhaseSeconds {
        let (user, given) = try target.input.get()
        let start = MonotonicClock.seconds()
        let sharers = try sharers(user, given)
        let selection = MonotonicClock.seconds() - start
        var journal = MemoryJournal()
        let method = PriME(
            task: inputs.task, tokenizer: inputs.tokenizer, model: model, settings: Settings(manifest))
        var seconds = try method.personalize(user, sharers: sharers, journal: &journal) { _ in true }.seconds
        seconds.prepare += selection
        return seconds
    }

    private func sharers(_ user: User, _ given: [Float]?) throws -> [Sharer] {
        try inputs.select(user, given, model: model, base: manifest.base)
    }

    /// The history under a population of mixtures, as a generation evaluates it.
    func population(_ target: JobInputs.Target, _ size: Int, rounds: Int) throws -> BenchReport.Population {
        let (user, given) = try target.input.get()
        let sharers = try sharers(user, given)
        try model.load(bank: sharers.map(\.adapter))
        let settings = Settings(manifest)
        let prompts = try inputs.task.examples(
            user, recent: settings.recent, retrieval: settings.retrieval, fraction: settings.fraction
        ).map { inputs.tokenizer.encode($0.prompt) }
        let mixtures = (0..<size).map { index in
            Mixture(weights: sharers.indices.map { Float($0 + 1) * 0.2 - Float(index) * 0.01 - 0.15 })
        }
        let requests = mixtures.indices.flatMap { mixture in
            prompts.map { Request(prompt: $0, mixture: mixture, maxNewTokens: settings.maxNewTokens) }
        }
        var best = Double.infinity
        var result = BenchReport.Population(candidates: size, seconds: 0, rate: 0)
        for _ in 0..<rounds {
            let before = model.statistics
            let start = MonotonicClock.seconds()
            _ = try model.generate(requests, mixtures: mixtures, merge: settings.merge, progress: nil)
            let seconds = MonotonicClock.seconds() - start
            guard seconds < best else { continue }
            best = seconds
            let after = model.statistics
            result.seconds = seconds
            result.rate =
                (after.productOperations - before.productOperations)
                / (after.productThreadSeconds - before.productThreadSeconds) * Double(model.options.threads) * 1e-9
        }
        return result
    }
}
