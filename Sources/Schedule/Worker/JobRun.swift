import Checkpoints
import Compute
import Evolution
import FoundationEssentials
import Glibc
import Llama
import Manifest
import Methods
import Posix
import Privacy
import Report
import Spool
import Tasks
import Telemetry
import Tokenizers

/// One job from its folder to a sealed result, in the daemon's worker process and in a foreground run alike.
///
/// A finished target is kept in the job's journal as it is published, so an interrupted job does not do it again.
public struct JobRun {
    let folder: JobFolder
    let configuration: Configuration
    let device: Device
    let reporter: WorkerReporter
    /// Where the job's events go beside its own log.
    let log: Log
    /// Asked before each batch; true ends the run as soon as nothing is lost.
    let shouldStop: () -> Bool

    public init(
        folder: JobFolder, configuration: Configuration, device: Device, reporter: WorkerReporter, log: Log,
        shouldStop: @escaping () -> Bool
    ) {
        self.log = log
        self.folder = folder
        self.configuration = configuration
        self.device = device
        self.reporter = reporter
        self.shouldStop = shouldStop
    }

    /// Does the job. Only a failure of the job as a whole is a failure here; a target that fails does so in result.json.
    public func run() -> JobOutcome {
        do {
            try work()
            return .sealed
        } catch {
            if error.isInterruption { return .stopped }
            return .failed(JobFailure(error.relative(to: inputFolder).problem, isPermanent: error.isPermanent))
        }
    }

    /// Where the manifest lies, and beside it what came with it.
    private var inputFolder: String { Files.parent(of: folder.manifest) }

    private func work() throws(JobError) {
        let start = MonotonicClock.seconds()
        try told { try folder.prepare() }
        let bytes = try told { try Files.read(folder.manifest, limit: configuration.largestManifestMiB << 20) }
        let manifest = try told { try JobManifest(bytes, file: "manifest") }
        let id = try told { try folder.id(written: manifest.id).description }
        let log = Log.file(folder.log).joined(by: self.log, job: id)
        let names = Names(folder: inputFolder, configuration: configuration)
        let inputs = try JobInputs(manifest, names: names)
        log(.jobStarted(id, targets: inputs.targets.count, attempt: folder.attempts.started))
        let model = try told {
            try languageModel(inputs.folder, options: configuration.engineOptions(on: device))
        }
        let run = TargetRun(
            job: id, manifest: manifest, inputs: inputs, model: model, configuration: configuration, log: log)
        var results: [TargetResult] = []
        for (index, target) in inputs.targets.enumerated() {
            let kept = "\(folder.journal)/\(target.user)"
            if let result = finished(kept) {
                results.append(result)
                continue
            }
            var progress = JobProgress(
                targets: inputs.targets.count, finished: index, user: target.user, stage: "select")
            reporter.report(progress)
            var lastSign = 0.0
            do throws(JobError) {
                let result = try run.personalize(target, in: kept) { news in
                    let now = MonotonicClock.seconds()
                    progress.show(news)
                    // A sign of life a second is enough within a batch, which nothing interrupts.
                    if case .batch = news, now < lastSign + 1 { return true }
                    lastSign = now
                    reporter.report(progress)
                    return !shouldStop()
                }
                results.append(result)
            } catch {
                // What another try may mend ends this attempt; what it cannot is this target's alone.
                guard error.isPermanent, !error.isInterruption else { throw error }
                log(.targetFailed(user: target.user, code: error.code))
                results.append(TargetResult(user: target.user, failure: error.relative(to: inputFolder)))
            }
        }
        var pool: String?
        if case .pool(let name, _) = manifest.sharers { pool = name }
        try publish(
            ResultFile(id: id, pool: pool, targets: results), log: log, seconds: MonotonicClock.seconds() - start)
    }

    /// The result of a target that an earlier attempt finished.
    private func finished(_ kept: String) -> TargetResult? {
        guard let bytes = try? Files.read("\(kept)/\(TargetRun.resultName)", limit: 1 << 26) else { return nil }
        return try? JSONDecoder().decode(TargetResult.self, from: Data(bytes))
    }

    private func publish(_ result: ResultFile, log: Log, seconds: Double) throws(JobError) {
        log(.jobFinished(result.id, status: result.status.rawValue, seconds: seconds))
        try told {
            for target in result.targets where try Files.isPresent("\(folder.journal)/\(target.user)") {
                try copy("\(folder.journal)/\(target.user)", to: "\(folder.staging)/\(target.user)")
            }
            try Files.writeAtomically(try encoded(result), to: "\(folder.staging)/result.json")
            try folder.seal()
        }
    }

    private func copy(_ source: String, to destination: String) throws {
        try Files.makeDirectories(destination)
        for name in try Files.list(source) where name != TargetRun.resultName {
            let path = "\(source)/\(name)"
            if try Files.status(path).kind == .directory {
                try copy(path, to: "\(destination)/\(name)")
            } else {
                try Files.copy(path, to: "\(destination)/\(name)", limit: .max)
            }
        }
    }
}

extension JobProgress {
    fileprivate mutating func show(_ news: RunProgress) {
        switch news {
        case .references:
            stage = "references"
        case .search(let evaluations, let budget, let best):
            stage = "evolve"
            evaluation = evaluations
            self.budget = budget
            self.best = best.isFinite ? best : nil
        case .queries:
            stage = "queries"
        case .batch(let finished, let total):
            batch = Double(finished) / Double(max(1, total))
            return
        }
        batch = nil
    }
}

extension Configuration {
    /// The engine's bounds on a slot's device; without a number of threads the slots share the machine's cores.
    public func engineOptions(on device: Device) -> EngineOptions {
        var options = EngineOptions()
        options.device = device
        options.cudaLibraries = cudaLibraries.isEmpty ? nil : cudaLibraries
        options.deviceBytes = gpuMemoryMiB > 0 ? gpuMemoryMiB << 20 : nil
        options.kernelCache = kernels
        options.threads = threads > 0 ? threads : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / slots)
        options.tokenBudget = tokenBudget
        options.cacheBytes = cacheMiB << 20
        return options
    }
}
