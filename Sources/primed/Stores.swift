import Checkpoints
import Glibc
import JSON
import Manifest
import Posix
import Tasks
import Worker

/// What lies below the configured roots, each opened by the code that opens it for a job.
struct Stores {
    private let configuration: Configuration
    private let names: Names
    private var models: [String: LlamaConfig] = [:]
    private var tasks: [String: TaskDefinition] = [:]

    static func findings(_ configuration: Configuration) -> [Finding] {
        var stores = Stores(configuration: configuration)
        return stores.findings()
    }

    private init(configuration: Configuration) {
        self.configuration = configuration
        names = Names(folder: nil, configuration: configuration)
    }

    private mutating func findings() -> [Finding] {
        var findings: [Finding] = []
        // A pool names a base and a task, so those come first.
        add(configuration.models, "models", isFolder: true, to: &findings) { stores, name throws(JobError) in
            [try stores.model(name)]
        }
        add(configuration.tasks, "tasks", isFolder: false, to: &findings) { stores, name throws(JobError) in
            // No job can name another file.
            name.hasSuffix(".json") || name.hasSuffix(".json5") ? [try stores.task(name)] : []
        }
        add(configuration.pools, "pools", isFolder: true, to: &findings) { stores, name throws(JobError) in
            try stores.pool(name)
        }
        do throws(PosixError) {
            _ = try Files.list(Files.canonical(configuration.histories))
            findings.append(Finding(.ok, "histories", configuration.histories))
        } catch {
            findings.append(unlisted(configuration.histories, "histories", error))
        }
        return findings
    }

    /// What is said of a root that cannot be listed. One that somebody wrote down is meant to be there.
    private func unlisted(_ root: String, _ key: String, _ error: PosixError) -> Finding {
        switch error.errno {
        case ENOENT where configuration.settings.contains { $0.key == key && $0.origin == "default" }:
            Finding(.note, key, "\(root) is not there; manifests bring their own")
        case ENOENT: Finding(.fail, key, "\(root) is not there; make it, or leave \(key) out of the configuration")
        case ENOTDIR: Finding(.fail, key, "\(root) is no folder; name one")
        default: Finding(.fail, key, "\(error); give this user the right to read there")
        }
    }

    private typealias Found = (state: Finding.State, words: String)

    /// What is found of each entry of a root.
    private mutating func add(
        _ root: String, _ what: String, isFolder: Bool, to findings: inout [Finding],
        _ open: (inout Stores, String) throws(JobError) -> [Found]
    ) {
        let entries: [String]
        do throws(PosixError) { entries = try Files.list(Files.canonical(root)) } catch {
            findings.append(unlisted(root, what, error))
            return
        }
        for name in entries where !name.hasPrefix(".") && Files.isDirectory("\(root)/\(name)") == isFolder {
            do throws(JobError) {
                findings += try open(&self, name).map { Finding($0.state, "\(what) \(name)", $0.words) }
            } catch {
                findings.append(Finding(.fail, "\(what) \(name)", Self.words(error)))
            }
        }
    }

    /// An error of a job without the place in a manifest that there is none of.
    private static func words(_ error: JobError) -> String {
        error.place.hasPrefix("manifest: ") ? error.message : error.description
    }

    private mutating func model(_ name: String) throws(JobError) -> Found {
        let path = "\(configuration.models)/\(name)"
        if !Files.exists("\(path)/config.json"),
            let inner = try? Files.list(path).first(where: { Files.exists("\(path)/\($0)/config.json") })
        {
            return (.note, "no model itself; a manifest names the folders in it, such as \(name)/\(printable(inner))")
        }
        let (folder, tokenizer) = try JobInputs.base(name, names)
        models[name] = folder.config
        let words =
            "\(folder.config.layers) layers of \(folder.config.hiddenSize), \(tokenizer.vocabularySize) tokens, "
            + "\(folder.byteCount >> 20) MiB"
        return (.ok, words)
    }

    private mutating func task(_ name: String) throws(JobError) -> Found {
        let task = try JobInputs.task(name, names).definition
        tasks[task.name] = task
        return (.ok, "\(task.name), scored by \(task.metricNames.joined(separator: " and "))")
    }

    private func pool(_ name: String) throws(JobError) -> [Found] {
        let path = try names.folder(name, .pool, place: "manifest: sharers.pool")
        let pool = try SharerPool.manifest(ofPool: path, name)
        let count = "\(pool.members.count) members"
        guard let base = pool.base.map({ Files.name(of: $0) }) else {
            return [(.note, "\(count); not opened, since pool.json names no base; write the one of its adapters")]
        }
        guard let config = models[base] else {
            return [
                (
                    .note,
                    "\(count); not opened, since their base \(base) cannot be used from \(configuration.models): only jobs "
                        + "that bring it can take them"
                )
            ]
        }
        // Any task serves a pool that is for none.
        let task = pool.task.map { TaskDefinition.builtIn($0) ?? tasks[$0] } ?? TaskDefinition.builtIn("citation")
        guard let task else {
            return [
                (
                    .note,
                    "\(count) of \(base); not opened, since their task \(pool.task ?? "") cannot be used from "
                        + "\(configuration.tasks): only jobs that bring it can take them"
                )
            ]
        }
        let (usable, mistakes) = SharerPool.survey(name, base: base, task: task, config, names: names)
        guard mistakes.isEmpty else { return mistakes.map { (.fail, Self.words($0)) } }
        return [(.ok, "\(count) of \(base), \(usable) usable today")]
    }
}
