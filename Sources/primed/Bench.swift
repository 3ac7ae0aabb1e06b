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
            Does the first target of a manifest, a file or a folder with manifest.json, without publishing anything and shows the seconds of each phase, the \
            rate of the model's products beside that of one large product of the machine's own library, the bytes that they \
            move, prefill and decode rates, the cost of a population evaluation by its size, and the memory. Rates of one \
            run compare with each other; machines' speeds drift between runs.
            """,
        options: [
            Site.option, Site.deviceOption,
            Option(name: "threads", value: "N", help: "threads (default: the configuration's)"),
            Option(name: "rounds", value: "N", help: "repetitions; the fastest counts (default: 3)"),
            Option(
                name: "populations", value: "N,N,...",
                help: "candidates of the population evaluations; none for no such evaluation (default: 1,5,10,20,40)"),
            Option(
                name: "weights", value: "W,W,...",
                help: "instead of measuring, print the utility and similarities of these weights on the history",
                mayRepeat: true),
            Option(name: "json", value: nil, help: "print one JSON object"),
        ],
        exits: [
            (Exit.ok, "measured"), (Exit.badData, "the manifest, or what it names, is mistaken"),
            (Exit.noInput, "there is no such manifest"),
            (Exit.unavailable, "the device, or the memory that the job takes, is not there"),
            (Exit.temporary, "what the manifest names cannot be read now"),
        ],
        examples: ["primed bench examples/debian/bench.json"]
    ) { arguments in
        var site = try Site(arguments)
        site.configuration.threads = try arguments.integer("threads", default: site.configuration.threads, in: 0...1024)
        let path = try manifestPath(arguments.operands[0])
        let manifest = try JobManifest(
            try manifestBytes(path, site.limits), file: arguments.operands[0])
        let names = Names(folder: Files.parent(of: path), configuration: site.configuration)
        let options = site.configuration.engineOptions(on: try site.device(arguments))
        guard !arguments.has("weights") else {
            show(try json(try scores(arguments.texts("weights"), manifest, names, options), pretty: true))
            return Exit.ok
        }
        let rounds = try arguments.integer("rounds", default: 3, in: 1...100)
        let sizes = try populations(arguments.text("populations") ?? "1,5,10,20,40")
        let report = try measure(manifest, names, options, rounds: rounds, populations: sizes)
        show(arguments.has("json") ? try json(report, pretty: true) : report.table)
        return Exit.ok
    }

    private static func populations(_ text: String) throws(Failure) -> [Int] {
        if text == "none" { return [] }
        return try text.split(separator: ",", omittingEmptySubsequences: false).map { number throws(Failure) in
            guard let size = Int(number), (1...1000).contains(size) else {
                throw Failure(
                    Exit.usage,
                    "bench: --populations is \"\(printable(text))\"; write whole numbers of 1 to 1000 and commas, or none"
                )
            }
            return size
        }
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
        return try method.evaluate(Methods.Target(user: user, sharers: sharers), points: points)
    }

    private static func measure(
        _ manifest: JobManifest, _ names: Names, _ options: EngineOptions, rounds: Int, populations: [Int]
    ) throws -> BenchReport {
        let loading = MonotonicClock.seconds()
        let inputs = try JobInputs(manifest, names: names)
        let model = try languageModel(inputs.folder, options: options)
        let load = MonotonicClock.seconds() - loading
        guard let target = inputs.targets.first else { throw Failure(Exit.badData, "the manifest has no target") }
        let lanes = options.device == .cpu ? options.threads : 1
        let run = BenchRun(manifest: manifest, inputs: inputs, model: model, lanes: lanes)
        var report = BenchReport(device: options.device.description, threads: options.threads)
        var best = Double.infinity
        try run.warmUp { _ = try run.whole(target) }
        for _ in 0..<rounds {
            let large = try model.largeProductRate()
            let copied = model.statistics.copiedBytes
            let (phases, work) = try run.measured { try run.whole(target) }
            guard phases.total < best else { continue }
            best = phases.total
            report.note(phases, load: load)
            report.job = work.work()
            report.largeRate = large * 1e-9
            report.copied = model.statistics.copiedBytes - copied
        }
        for population in populations {
            report.populations.append(try run.population(target, population, rounds: rounds))
        }
        (report.prefill, report.decode) = try run.rates(target, rounds: rounds)
        report.note(model.statistics)
        return report
    }
}
