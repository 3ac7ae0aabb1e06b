import Compute
import FoundationEssentials
import Glibc
import Llama
import Manifest
import Methods
import Posix
import Spool
import Telemetry

/// One job from its folder to a sealed result, in the daemon's worker process and in a foreground run alike.
///
/// Each target that is done leaves its files and what the result will say of it in the job's folder, so an interrupted job
/// does not do it again, and whoever watches can publish it while the job goes on.
public struct JobRun {
    let folder: JobFolder
    let configuration: Configuration
    let device: Device
    let reporter: WorkerReporter
    /// Where the job's events go beside its own log.
    let log: Log
    /// Asked before each batch and within it, after each step; true ends the run as soon as nothing is lost.
    let shouldStop: () -> Bool

    /// - Parameter folder: where nobody else works: a claimed one, or one that is locked for a foreground run.
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

    /// Ends a job that has taken all the time it may, as one of a daemon ends: what is done is its result.
    ///
    /// - Parameter id: the job's.
    public func endOverTime(_ id: String) throws {
        let problem = Problem.timeLimit(again: "remove the result to run it again")
        let result = try ResultFile(endedBy: problem, as: .failed, id, folder)
        try folder.seal(try encoded(result))
    }

    /// Does the job. Only a failure of the job as a whole is a failure here; a target that fails does so in result.json.
    public func run() -> JobOutcome {
        do {
            try work()
            return .sealed
        } catch {
            if error.isInterruption { return .stopped }
            return .failed(JobFailure(error.relative(to: folder.input)))
        }
    }

    private func work() throws(JobError) {
        let start = MonotonicClock.seconds()
        try told { try folder.prepare() }
        let bytes = try told { try Files.read(folder.manifest, limit: configuration.largestManifestMiB << 20) }
        let manifest = try told { try JobManifest(bytes, file: "manifest") }
        let id = try told { try folder.id(written: manifest.id).description }
        let log = Log.file(folder.log).joined(by: self.log, job: id)
        let names = Names(folder: folder.input, configuration: configuration)
        // Signs of life on both sides of reading the weights; their number of targets is not known yet.
        reporter.report(JobProgress(targets: 0, finished: 0, stage: JobProgress.reading))
        let inputs = try JobInputs(manifest, names: names)
        log(.jobStarted(id, targets: inputs.targets.count, attempt: folder.attempts.started))
        reporter.report(JobProgress(targets: inputs.targets.count, finished: 0, stage: JobProgress.loading))
        let model = try told {
            try languageModel(inputs.folder, options: configuration.engineOptions(on: device))
        }
        var run = CohortRun(
            job: id, manifest: manifest, inputs: inputs, model: model, configuration: configuration, folder: folder,
            log: log)
        let cohorts = try inputs.cohorts(manifest)
        var course = try told { try JobCourse(folder, inputs.targets, manifest) }
        course.begin(inputs, cohorts, at: MonotonicClock.seconds())
        for target in inputs.targets {
            guard case .failure(let error) = target.input else { continue }
            // Even of one that is done: the cohorts must be those of the attempt before.
            guard error.isPermanent else { throw error }
            if course.isOpen(target) { try fail(target, error, in: &course, log) }
        }
        for cohort in cohorts.members {
            let targets = cohort.map { inputs.targets[$0] }
            guard targets.contains(where: course.isOpen) else { continue }
            try run.inputs.rereadSharers(manifest, names: names)
            try personalize(targets, cohort, run, &course)
        }
        let result = ResultFile(id: id, pool: manifest.pool, targets: course.results)
        log(.jobFinished(id, status: result.status.rawValue, seconds: MonotonicClock.seconds() - start))
        try told { try folder.seal(try encoded(result)) }
    }

    /// Personalizes a cohort, or, where the engine cannot do it together, its targets one by one: what is wrong with one is
    /// that one's alone.
    private func personalize(
        _ targets: [JobInputs.Target], _ cohort: [Int], _ run: CohortRun, _ course: inout JobCourse
    ) throws(JobError) {
        let name = "\(cohort[0])"
        do throws(JobError) {
            try attempt(targets, name: name, run, &course)
        } catch {
            // What another try may mend ends this attempt.
            guard error.isPermanent, !error.isInterruption else { throw error }
            if targets.count == 1 {
                try fail(targets[0], error, in: &course, run.log)
            } else {
                for (target, index) in zip(targets, cohort) where course.isOpen(target) {
                    let alone = "\(index)-alone"
                    do throws(JobError) {
                        try attempt([target], name: alone, run, &course)
                    } catch {
                        guard error.isPermanent, !error.isInterruption else { throw error }
                        try fail(target, error, in: &course, run.log)
                    }
                    try told { try Files.removeTree("\(folder.rounds)/\(alone)") }
                }
            }
        }
        // Every one of its targets has its result by now.
        try told { try Files.removeTree("\(folder.rounds)/\(name)") }
    }

    private func attempt(
        _ targets: [JobInputs.Target], name: String, _ run: CohortRun, _ course: inout JobCourse
    ) throws(JobError) {
        var signs = course.signs(of: targets)
        reporter.report(signs.progress)
        let open = Set(targets.filter(course.isOpen).map(\.user))
        let results = try run.personalize(targets, name: name, open: open) { news in
            if let progress = signs.take(news, at: MonotonicClock.seconds()) { reporter.report(progress) }
            return !shouldStop()
        }
        for result in results where open.contains(result.user) {
            if let error = result.error, result.status == .failed {
                run.log(.targetFailed(user: result.user, code: error.code))
            }
            try told { try course.finish(result) }
        }
        signs.end(at: MonotonicClock.seconds())
        course.estimate = signs.estimate
        reporter.report(course.progress(at: MonotonicClock.seconds()))
    }

    private func fail(
        _ target: JobInputs.Target, _ error: JobError, in course: inout JobCourse, _ log: Log
    ) throws(JobError) {
        log(.targetFailed(user: target.user, code: error.code))
        try told { try course.finish(TargetResult(user: target.user, failure: error.relative(to: folder.input))) }
    }
}

extension JobManifest {
    /// The pool that the sharers are taken from; nil where the manifest names their adapters.
    var pool: String? {
        if case .pool(let name, _) = sharers { name } else { nil }
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
