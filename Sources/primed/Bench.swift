import Checkpoints
import Compute
import Glibc
import JSON
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
            rate of the model's products beside that of one large product of the machine's own library, prefill and \
            decode rates, the cost of a population evaluation by its size, and the memory. Rates of one run compare with each other; these \
            machines' speeds drift between runs.
            """,
        options: [
            Site.option, Site.deviceOption,
            Option(name: "threads", value: "N", help: "threads (default: the configuration's)"),
            Option(name: "rounds", value: "N", help: "repetitions; the fastest counts (default: 3)"),
            Option(
                name: "weights", value: "W,W,...",
                help:
                    "instead of measuring, print the utility and similarities of these weights on the history; may be given again",
                mayRepeat: true),
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
        let names = Names(folder: Files.parent(of: absolute), configuration: site.configuration)
        let options = site.configuration.engineOptions(on: try site.device(arguments))
        guard !arguments.has("weights") else {
            show(try json(try scores(arguments.texts("weights"), manifest, names, options), pretty: true))
            return Exit.ok
        }
        let rounds = try arguments.integer("rounds", default: 3, in: 1...100)
        let report = try measure(manifest, names, options, rounds: rounds)
        show(arguments.has("json") ? try json(report, pretty: true) : report.table)
        return Exit.ok
    }

    /// What given weights score on the first target's history.
    private static func scores(
        _ texts: [String], _ manifest: JobManifest, _ names: Names, _ options: EngineOptions
    ) throws -> [CandidateScores] {
        let points = try texts.map { text in
            try text.split(separator: ",").map { number throws(Failure) in
                guard let weight = Double(number), weight.isFinite else {
                    throw Failure(Exit.usage, "bench: --weights is \"\(printable(text))\"; write numbers and commas")
                }
                return weight
            }
        }
        let inputs = try JobInputs(manifest, names: names)
        guard let target = inputs.targets.first else { throw Failure(Exit.badData, "the manifest has no target") }
        let (user, given) = try target.input.get()
        let model = try languageModel(inputs.folder, options: options)
        let sharers = try inputs.select(user, given, model: model, base: manifest.base)
        let method = PriME(
            task: inputs.task, tokenizer: inputs.tokenizer, model: model, settings: Settings(manifest))
        return try method.evaluate(user, sharers: sharers, points: points)
    }

    private static func measure(
        _ manifest: JobManifest, _ names: Names, _ options: EngineOptions, rounds: Int
    ) throws -> BenchReport {
        let loading = MonotonicClock.seconds()
        let inputs = try JobInputs(manifest, names: names)
        let model = try languageModel(inputs.folder, options: options)
        model.measuresProducts = true
        let load = MonotonicClock.seconds() - loading
        guard let target = inputs.targets.first else { throw Failure(Exit.badData, "the manifest has no target") }
        let lanes = options.device == .cpu ? options.threads : 1
        let run = BenchRun(manifest: manifest, inputs: inputs, model: model, lanes: lanes)
        var report = BenchReport(device: options.device.description, threads: options.threads)
        report.seconds["load"] = load
        var best = Double.infinity
        for _ in 0..<rounds {
            let large = try model.largeProductRate()
            let before = model.statistics
            let phases = try run.whole(target)
            let after = model.statistics
            guard phases.total < best else { continue }
            best = phases.total
            report.note(phases, load: load)
            let seconds = after.productThreadSeconds - before.productThreadSeconds
            report.productRate =
                (after.productOperations - before.productOperations) / seconds * Double(lanes) * 1e-9
            report.largeRate = large * 1e-9
            report.productShare = seconds / Double(lanes) / phases.total
        }
        for population in [1, 5, 10, 20, 40] {
            report.populations.append(try run.population(target, population, rounds: rounds))
        }
        report.rates = try run.rates(target, rounds: rounds)
        report.note(model.statistics)
        return report
    }
}

/// The measured work of a bench.
struct BenchRun {
    let manifest: JobManifest
    let inputs: JobInputs
    let model: any LanguageModel
    /// Threads that products run on.
    let lanes: Int

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

    /// Tokens a second: the history's prompts alone, and what follows them.
    func rates(_ target: JobInputs.Target, rounds: Int) throws -> BenchReport.Rates {
        let prompts = try prompts(target)
        func fastest(_ newTokens: Int) throws -> (seconds: Double, decoded: Int) {
            var best = (seconds: Double.infinity, decoded: 0)
            for _ in 0..<rounds {
                let before = model.statistics.decodedTokens
                let start = MonotonicClock.seconds()
                _ = try model.generate(
                    prompts.map { Request(prompt: $0, maxNewTokens: newTokens) }, mixtures: [.base], merge: .delta,
                    progress: nil)
                let seconds = MonotonicClock.seconds() - start
                if seconds < best.seconds { best = (seconds, model.statistics.decodedTokens - before) }
            }
            return best
        }
        let prefill = try fastest(1)
        let whole = try fastest(Settings(manifest).maxNewTokens)
        let decoded = whole.decoded - prefill.decoded
        return BenchReport.Rates(
            prefill: Double(Set(prompts).reduce(0) { $0 + $1.count }) / prefill.seconds,
            decode: decoded > 0 ? Double(decoded) / max(1e-9, whole.seconds - prefill.seconds) : nil)
    }

    private func prompts(_ target: JobInputs.Target) throws -> [[Int32]] {
        let (user, given) = try target.input.get()
        try model.load(bank: try sharers(user, given).map(\.adapter))
        let settings = Settings(manifest)
        return try inputs.task.examples(
            user, recent: settings.recent, retrieval: settings.retrieval, fraction: settings.fraction
        ).map { inputs.tokenizer.encode($0.prompt) }
    }

    /// The history under a population of mixtures, as a generation evaluates it.
    func population(_ target: JobInputs.Target, _ size: Int, rounds: Int) throws -> BenchReport.Population {
        let prompts = try prompts(target)
        let settings = Settings(manifest)
        let (user, given) = try target.input.get()
        let sharers = try sharers(user, given)
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
                / (after.productThreadSeconds - before.productThreadSeconds) * Double(lanes) * 1e-9
        }
        return result
    }
}
