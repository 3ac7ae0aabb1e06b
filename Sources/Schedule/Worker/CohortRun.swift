import Checkpoints
import Compute
import Digest
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

/// A cohort of a job's targets: select, evolve, and write what is published of each.
struct CohortRun {
    let job: String
    let manifest: JobManifest
    var inputs: JobInputs
    let model: any LanguageModel
    let configuration: Configuration
    let folder: JobFolder
    let log: Log

    /// Personalizes the targets and leaves the files of each among the folder's finished ones.
    ///
    /// - Parameters:
    ///   - name: of the cohort's journal.
    ///   - open: users that have no result yet; the others take part all the same, for the numbers of the rest.
    /// - Returns: what became of each target.
    /// - Throws: what another try may mend, and interruptions; and what the engine says of a cohort of several.
    func personalize(
        _ targets: [JobInputs.Target], name: String, open: Set<String>, progress: @escaping (RunProgress) -> Bool
    ) throws(JobError) -> [TargetResult] {
        var chosen: [Methods.Target] = []
        var failures: [String: JobError] = [:]
        for target in targets {
            do throws(JobError) { chosen.append(try select(target, progress)) } catch {
                guard error.isPermanent, !error.isInterruption else { throw error }
                failures[target.user] = error
            }
        }
        let path = "\(folder.rounds)/\(name)"
        var journal = try told { try FileJournal(path, run: identity(chosen)) }
        for (index, target) in chosen.enumerated() where journal.evaluations(of: index) > 0 {
            log(.runResumed(user: target.user.id, evaluations: journal.evaluations(of: index)))
        }
        let method = PriME(task: inputs.task, tokenizer: inputs.tokenizer, model: model, settings: Settings(manifest))
        let runs =
            chosen.isEmpty
            ? [] : try told { try method.personalize(chosen, journal: &journal, progress: progress) }
        var results: [String: TargetResult] = [:]
        for (target, run) in zip(chosen, runs) {
            do throws(JobError) {
                let run = try told { try run.get() }
                results[target.user.id] = try finish(target, run, writing: open.contains(target.user.id))
            } catch {
                guard error.isPermanent else { throw error }
                failures[target.user.id] = error
            }
        }
        return targets.compactMap { target in
            results[target.user]
                ?? failures[target.user].map {
                    TargetResult(user: target.user, failure: $0.relative(to: folder.input))
                }
        }
    }

    private func select(
        _ target: JobInputs.Target, _ progress: (RunProgress) -> Bool
    ) throws(JobError) -> Methods.Target {
        let (user, given) = try target.input.get()
        let sharers = try inputs.select(user, given, model: model, base: manifest.base, progress: progress)
        log(
            .sharersSelected(
                user: user.id, sharers: sharers.map(\.id), similarities: sharers.compactMap(\.cosine)))
        log(.targetStarted(user: user.id, history: user.history.count, queries: user.queries.count))
        return Methods.Target(user: user, sharers: sharers)
    }

    /// What determines the run's numbers beside the manifest, which stays what it is as long as the folder does: a journal of
    /// other numbers is not gone on from.
    private func identity(_ targets: [Methods.Target]) -> String {
        var parts = [
            inputs.folder.fingerprint, inputs.tokenizer.digest, model.arithmetic, BLAS.kernels, inputs.task.name,
            inputs.taskDigest,
        ]
        for target in targets {
            let sharers = target.sharers.map { "\($0.id):\(inputs.sharers.digest(of: $0.adapter))" }
            parts.append("\(target.user.id):\(target.user.digest)=\(sharers.joined(separator: ","))")
        }
        return SHA256.hexadecimal(Array(parts.joined(separator: " ").utf8))
    }

    // MARK: - One target's result

    private func finish(
        _ target: Methods.Target, _ run: Personalization, writing: Bool
    ) throws(JobError) -> TargetResult {
        let settings = Settings(manifest)
        let limits = [configuration.maxSimilarity, manifest.privacy.maxSimilarity].compactMap { $0 }
        let record = run.record(
            RecordContext(
                job: job, user: target.user.id, task: inputs.task.name, base: manifest.base, appliesTo: .base,
                metrics: inputs.task.metricNames, policy: ReleasePolicy(maxSimilarity: limits.min())),
            settings: settings, sharers: target.sharers)
        let result = TargetResult(record, run)
        guard writing else { return result }
        for entry in run.candidates {
            log(
                .evaluated(
                    user: record.user, evaluation: entry.evaluation, of: settings.budget,
                    utility: entry.scores.utility, similarity: entry.scores.similarity, fitness: entry.scores.fitness))
        }
        try told {
            try write(result, record, run, target.sharers, settings)
        }
        log(
            .targetFinished(
                user: record.user, status: result.status.rawValue, evaluations: run.candidates.count,
                utility: record.utility.merged, similarity: record.similarity.after, seconds: run.seconds.total))
        return result
    }

    private func write(
        _ result: TargetResult, _ record: PrivacyRecord, _ run: Personalization, _ sharers: [Sharer],
        _ settings: Settings
    ) throws {
        try folder.stage()
        let staging = folder.staging
        try Files.writeAtomically(try privacyJSON(record), to: "\(staging)/privacy.json", durable: false)
        try Files.writeAtomically(reportHTML(record), to: "\(staging)/report.html", durable: false)
        if result.status != .held {
            let merged = try MergedAdapter(
                sharers.map(\.adapter), weights: run.weights.map { $0.map(Float.init) }, merge: settings.merge,
                config: inputs.folder.config)
            try Files.makeDirectories("\(staging)/adapter")
            for file in try merged.files(baseName: manifest.base, card: card(record, rank: merged.rank)) {
                try Files.writeAtomically(file.bytes, to: "\(staging)/adapter/\(file.name)", durable: false)
            }
            var lines: [UInt8] = []
            for answer in run.answers { lines += try encoded(answer, pretty: false) }
            try Files.writeAtomically(lines, to: "\(staging)/predictions.jsonl", mode: 0o640, durable: false)
        }
        // It makes everything durable before it gives it its name.
        try folder.finish(target: record.user)
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

extension User {
    /// SHA-256 of history, queries and profile: files below the configured roots may change while a job waits.
    fileprivate var digest: String {
        var texts = [profile ?? ""]
        for item in history {
            texts.append(item.id)
            for (name, text) in item.fields.sorted(by: { $0.key < $1.key }) { texts += [name, text] }
        }
        for query in queries { texts += [query.id, query.input] }
        // With its length before it no text runs into the next.
        return SHA256.hexadecimal(Array(texts.map { "\($0.utf8.count):\($0)" }.joined().utf8))
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
