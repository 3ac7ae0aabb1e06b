import Checkpoints
import Evolution
import FoundationEssentials
import Llama
import Manifest
import Methods
import Posix
import Privacy
import Report
import Spool
import Tasks
import Telemetry

/// One target of a job: select, evolve, and write what is published of it.
struct TargetRun {
    let job: String
    let manifest: JobManifest
    let inputs: JobInputs
    let model: any LanguageModel
    let configuration: Configuration
    let log: Log

    /// The file that says a target's folder is whole; it is not published.
    static let resultName = ".target.json"

    /// Personalizes one target and leaves its files in `folder`, which appears by one rename.
    func personalize(
        _ target: JobInputs.Target, in folder: String, progress: @escaping (RunProgress) -> Bool
    ) throws(JobError) -> TargetResult {
        let (user, given) = try target.input.get()
        let sharers = try inputs.select(user, given, model: model, base: manifest.base)
        log(
            .sharersSelected(
                user: user.id, sharers: sharers.map(\.id), similarities: sharers.compactMap(\.cosine)))
        log(
            .targetStarted(
                user: user.id, history: user.history.count, prompts: user.history.count, queries: user.queries.count))
        let settings = Settings(manifest)
        var journal = try told { try FileJournal("\(folder).journal", run: identity(sharers)) }
        if !journal.entries.isEmpty { log(.runResumed(user: user.id, evaluations: journal.entries.count)) }
        let method = PriME(task: inputs.task, tokenizer: inputs.tokenizer, model: model, settings: settings)
        let run = try told {
            try method.personalize(user, sharers: sharers, journal: &journal, progress: progress)
        }
        for entry in run.candidates {
            log(
                .evaluated(
                    user: user.id, evaluation: entry.evaluation, of: settings.budget, utility: entry.scores.utility,
                    similarity: entry.scores.similarity, fitness: entry.scores.fitness))
        }
        let limits = [configuration.maxSimilarity, manifest.privacy.maxSimilarity].compactMap { $0 }
        let record = run.record(
            RecordContext(
                job: job, user: user.id, task: inputs.task.name, base: manifest.base, appliesTo: .base,
                metrics: inputs.task.metricNames(on: .history), policy: ReleasePolicy(maxSimilarity: limits.min())),
            settings: settings, sharers: sharers)
        let result = TargetResult(record, run)
        try told { try write(result, record, run, sharers, settings, to: folder) }
        log(
            .targetFinished(
                user: user.id, status: result.status.rawValue, evaluations: run.candidates.count,
                utility: record.utility.merged, similarity: record.similarity.after, seconds: run.seconds.total))
        return result
    }

    /// What determines the run's numbers, beside the history: a journal of other numbers is not gone on from.
    private func identity(_ sharers: [Sharer]) -> String {
        let evolve = manifest.evolve
        return [
            inputs.folder.fingerprint, inputs.task.name,
            sharers.map { "\($0.id):\($0.adapter.digest())" }.joined(separator: ","),
            evolve.optimizer.rawValue, "\(evolve.budget)", "\(evolve.seed)", evolve.granularity.rawValue,
            evolve.merge.rawValue, "\(evolve.bound)", "\(manifest.privacy.alpha)",
        ].joined(separator: " ")
    }

    private func write(
        _ result: TargetResult, _ record: PrivacyRecord, _ run: Personalization, _ sharers: [Sharer],
        _ settings: Settings, to folder: String
    ) throws {
        let staging = "\(folder).tmp"
        try Files.removeTree(staging)
        try Files.makeDirectories(staging)
        try Files.writeAtomically(privacyJSON(record), to: "\(staging)/privacy.json")
        try Files.writeAtomically(reportHTML(record), to: "\(staging)/report.html")
        if result.status != .held {
            let merged = MergedAdapter(
                sharers.map(\.adapter), weights: run.weights.map { $0.map(Float.init) }, merge: settings.merge,
                config: inputs.folder.config)
            try Files.makeDirectories("\(staging)/adapter")
            for file in try merged.files(baseName: manifest.base, card: card(record, rank: merged.rank)) {
                try Files.writeAtomically(file.bytes, to: "\(staging)/adapter/\(file.name)")
            }
            var lines: [UInt8] = []
            for answer in run.answers { lines += try encoded(answer, pretty: false) }
            try Files.writeAtomically(lines, to: "\(staging)/predictions.jsonl", mode: 0o640)
        }
        try Files.writeAtomically(try encoded(result), to: "\(staging)/\(Self.resultName)")
        try Files.sync(tree: staging)
        try Files.removeTree(folder)
        try Files.rename(staging, to: folder)
    }

    /// The adapter's model card. It travels with the adapter, so it names no sharer.
    private func card(_ record: PrivacyRecord, rank: Int) -> String {
        """
        # Personalized adapter for user \(record.user)

        LoRA of rank \(rank) for task \(record.task), merged by PriME (\(record.search.merge)) from the adapters of
        \(record.sharers.count) sharers. Applies to: the base `\(record.base)`. Who shared and with what weight, the
        likeness to each of them and every evaluated candidate are in the report that was published beside this folder.

        """
    }
}

extension Settings {
    /// A manifest's words as the method's settings.
    public init(_ manifest: JobManifest) {
        self.init()
        let evolve = manifest.evolve
        search = evolve.optimizer == .cmaES ? .cmaES : .primeCMA
        budget = evolve.budget
        seed = evolve.seed
        granularity = evolve.granularity == .layer ? .layer : .adapter
        merge = evolve.merge == .delta ? .delta : .factors
        bound = evolve.bound
        alpha = manifest.privacy.alpha
        recent = evolve.recent
        fraction = evolve.fraction
        retrieval = evolve.retrieval
        holdOut = evolve.holdOut.map { .fraction($0) } ?? .automatic
        maxNewTokens = manifest.maxNewTokens
        temperature = evolve.temperature.map(Float.init)
    }
}
