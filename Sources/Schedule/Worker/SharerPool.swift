import Checkpoints
import JSON
import Manifest
import Methods
import Posix
import Tasks

/// The sharers of a job: a pool to select from, or those that the manifest lists.
public struct SharerPool {
    /// A sharer that may be used.
    private struct Member {
        let id: String
        /// The path of the adapter, which is read when it is selected.
        let adapter: String
        /// Empty where the manifest lists the sharers.
        var embedding: [Float] = []
    }

    private let members: [Member]
    /// Whether the sharers of a target are selected by its embedding.
    let selects: Bool
    /// What made the pool's embeddings.
    private let encoder: String?
    private let top: Int
    private let config: LlamaConfig
    let adapters: OpenAdapters

    init(
        _ sharers: JobManifest.Sharers, base: String, task: TaskDefinition, _ config: LlamaConfig, names: Names,
        adapters: OpenAdapters = OpenAdapters()
    ) throws(JobError) {
        self.config = config
        self.adapters = adapters
        switch sharers {
        case .adapters(let adapters):
            var members: [Member] = []
            for (index, entry) in adapters.enumerated() {
                let place = "manifest: sharers[\(index)].adapter"
                let path = try names.folder(entry.adapter, .adapter, place: place)
                let member = try Self.consenting(path, below: names.configuration.pools, place: place)
                let id = member ?? entry.id
                guard !members.contains(where: { $0.id == id }) else {
                    throw JobError(
                        code: "duplicate", place: place,
                        message: "a second adapter of sharer \(id); name each sharer once, or give another id")
                }
                members.append(Member(id: id, adapter: path))
            }
            self.members = members
            selects = false
            encoder = nil
            top = members.count
        case .pool(let name, let top):
            let path = try names.folder(name, .pool, place: "manifest: sharers.pool")
            self.top = top
            selects = true
            (members, encoder) = try Self.read(path, name, base: base, task: task)
        }
    }

    private static func read(
        _ path: String, _ name: String, base: String, task: TaskDefinition
    ) throws(JobError) -> ([Member], encoder: String?) {
        let pool = try manifest(ofPool: path, name)
        let place = "\(name)/\(PoolManifest.fileName)"
        try check(pool, place: place, base: base, task: task)
        guard let embeddings = pool.embeddings else {
            throw JobError(
                code: "missing", place: "\(place): embeddings",
                message: "nothing; a pool carries its members' embeddings to be selected from")
        }
        let file = try told { try Safetensors("\(path)/\(embeddings.file)") }
        guard let tensor = file[embeddings.tensor], tensor.shape.count == 2, tensor.shape[0] == pool.members.count
        else {
            throw JobError(
                code: "wrong-shape", place: "\(place): embeddings",
                message:
                    "no tensor \(printable(embeddings.tensor)) of \(pool.members.count) rows in \(embeddings.file); "
                    + "write one row a member, in the order of members")
        }
        let values = tensor.floats()
        let width = tensor.shape[1]
        let today = today
        var members: [Member] = []
        for (row, member) in pool.members.enumerated() where member.isUsable(on: today) {
            members.append(
                Member(
                    id: member.id, adapter: "\(path)/\(member.adapter)",
                    embedding: Array(values[(row * width)..<((row + 1) * width)])))
        }
        guard !members.isEmpty else {
            throw JobError(
                code: "consent", place: "\(place): members",
                message: "none of \(pool.members.count) may be used on \(today); ask for their consent")
        }
        return (members, embeddings.encoder)
    }

    /// What lists the members of a pool's folder; nil where it is no pool's.
    private static func manifest(of path: String, place: String) throws(JobError) -> PoolManifest? {
        try told {
            guard try Files.isPresent("\(path)/\(PoolManifest.fileName)") else { return nil }
            return try PoolManifest(
                try Files.read(PoolManifest.fileName, beneath: path, limit: 64 << 20), file: place)
        }
    }

    /// What lists the members of a pool.
    public static func manifest(ofPool path: String, _ name: String) throws(JobError) -> PoolManifest {
        let place = "\(name)/\(PoolManifest.fileName)"
        guard let pool = try manifest(of: path, place: place) else {
            throw JobError(
                code: "not-found", place: place, message: "there is no such file; it lists a pool's members")
        }
        return pool
    }

    /// What is wrong with the places that a manifest names for sharers, whatever base and task they are for.
    static func misplaced(_ sharers: JobManifest.Sharers, names: Names) -> [JobError] {
        func mistake(_ body: () throws(JobError) -> Void) -> [JobError] {
            do throws(JobError) { try body() } catch { return [error] }
            return []
        }
        switch sharers {
        case .pool(let name, _):
            return mistake { () throws(JobError) in
                _ = try manifest(ofPool: names.folder(name, .pool, place: "manifest: sharers.pool"), name)
            }
        case .adapters(let adapters):
            return adapters.enumerated().flatMap { index, entry in
                let place = "manifest: sharers[\(index)].adapter"
                return mistake { () throws(JobError) in
                    let path = try names.folder(entry.adapter, .adapter, place: place)
                    _ = try consenting(path, below: names.configuration.pools, place: place)
                }
            }
        }
    }

    private static var today: String { String(WallClock.timestamp().prefix(10)) }

    /// Whose adapter lies at `path`, as the pool says in whose folder it is; nil where it is in no pool's. A manifest that
    /// names it is no way around a consent.
    private static func consenting(_ path: String, below root: String, place: String) throws(JobError) -> String? {
        guard path.utf8.starts(with: "\(root)/".utf8) else { return nil }
        var folder = path
        while folder != root {
            folder = Files.parent(of: folder)
            let file = "\(folder)/\(PoolManifest.fileName)"
            guard let pool = try manifest(of: folder, place: file) else { continue }
            let adapter = String(decoding: path.utf8.dropFirst(folder.utf8.count + 1), as: UTF8.self)
            guard let member = pool.members.first(where: { $0.adapter == adapter }), member.isUsable(on: today) else {
                throw JobError(
                    code: "consent", place: place,
                    message: "\(adapter) lies in a pool, and no member of \(file) lets it be used on \(today); ask for "
                        + "their consent")
            }
            return member.id
        }
        return nil
    }

    /// Refuses adapters that were trained for something else: the shapes alone would not tell.
    private static func check(
        _ pool: PoolManifest, place: String, base: String, task: TaskDefinition
    ) throws(JobError) {
        if let made = pool.base, Files.name(of: made) != Files.name(of: base) {
            throw JobError(
                code: "contradiction", place: "\(place): base",
                message:
                    "the pool's adapters are for \(printable(made)), the job's base is \(base); take a pool of that base"
            )
        }
        if let made = pool.task, (TaskDefinition.builtIn(made)?.name ?? made) != task.name {
            throw JobError(
                code: "contradiction", place: "\(place): task",
                message:
                    "the pool's adapters are for \(printable(made)), the job's task is \(task.name); take a pool of "
                    + "that task, or a pool.json without a task if its adapters serve any")
        }
    }

    /// What is wrong with any adapter that may be selected.
    var mistakes: [JobError] {
        members.compactMap { member in
            do throws(JobError) {
                _ = try sharer(member, cosine: nil)
                return nil
            } catch {
                return error
            }
        }
    }

    /// Refuses to compare the base's encoding with a pool that another encoder made.
    func requireEncoder(base: String, user: String) throws(JobError) {
        // It may go on with what was encoded and how.
        guard let encoder else { return }
        let model = String(encoder.prefix { $0 != " " && $0 != "," && $0 != ";" })
        if Files.name(of: model) == Files.name(of: base) { return }
        throw JobError(
            code: "embedding", place: "user \(user)",
            message:
                "no embedding, and the pool's come from another encoder (\(printable(encoder))); give the target's embedding"
        )
    }

    /// The sharers of one target, most similar first, with their adapters.
    func select(_ embedding: [Float]?, user: String) throws(JobError) -> [Sharer] {
        guard selects, let embedding else {
            return try members.map { member throws(JobError) in try sharer(member, cosine: nil) }
        }
        let others = members.filter { $0.id != user }
        let rows = others.map { SharerEmbedding(id: $0.id, vector: $0.embedding) }
        let chosen = try told { try mostSimilar(to: embedding, among: rows, count: top, place: "user \(user)") }
        return try chosen.map { one throws(JobError) in try sharer(others[one.index], cosine: one.cosine) }
    }

    private func sharer(_ member: Member, cosine: Double?) throws(JobError) -> Sharer {
        let adapter = try told { try adapters.adapter(member.adapter, for: config) }
        return Sharer(id: member.id, adapter: adapter, cosine: cosine)
    }

    /// How many adapters a target merges, and how many there are to choose from.
    var counts: (each: Int, all: Int) { (min(top, members.count), members.count) }

    /// The adapters that a bank may hold before their part of a layer's products outweighs half of the layer's own; all
    /// adapters are taken to have the first one's rank.
    ///
    /// - Throws: where that cannot be read now. A broken one makes it 1, every time.
    func slots() throws(JobError) -> Int {
        guard let first = members.first else { return 1 }
        do throws(CheckpointError) {
            return config.hiddenSize / (4 * max(1, try adapters.adapter(first.adapter, for: config).rank))
        } catch {
            let error = JobError(error)
            guard error.isPermanent else { throw error }
            return 1
        }
    }

    /// See `Adapter.digest`.
    func digest(of adapter: Adapter) -> String { adapters.digest(of: adapter) }
}

/// The adapters that were read, since the targets of a job choose from the same few.
final class OpenAdapters {
    private var adapters: [String: Adapter] = [:]
    private var digests: [String: String] = [:]

    func adapter(_ path: String, for config: LlamaConfig) throws(CheckpointError) -> Adapter {
        if let adapter = adapters[path] { return adapter }
        let adapter = try Adapter(path, for: config)
        adapters[path] = adapter
        return adapter
    }

    func digest(of adapter: Adapter) -> String {
        if let digest = digests[adapter.path] { return digest }
        let digest = adapter.digest()
        digests[adapter.path] = digest
        return digest
    }
}
