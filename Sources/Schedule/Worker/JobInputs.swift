import Checkpoints
import FoundationEssentials
import Llama
import Manifest
import Methods
import Posix
import Tasks
import Tokenizers

/// What a job's manifest names, read and checked: nothing is computed before all of it is sound.
public struct JobInputs {
    public let folder: ModelFolder
    public let tokenizer: Tokenizer
    public let task: TaskDefinition
    public let sharers: SharerPool
    public let targets: [Target]

    /// A user to personalize, or why that user cannot be.
    public struct Target {
        public let user: String
        public let input: Result<(user: User, embedding: [Float]?), JobError>
    }

    public init(_ manifest: JobManifest, names: Names) throws(JobError) {
        let path = try names.folder(manifest.base, .model, place: "manifest: base")
        folder = try told { try ModelFolder(path) }
        tokenizer = try told { try Tokenizer(folder: path) }
        guard tokenizer.vocabularySize <= folder.config.vocabulary else {
            throw JobError(
                code: "contradiction", place: path,
                message: "the tokenizer has \(tokenizer.vocabularySize) tokens where the model has "
                    + "\(folder.config.vocabulary); take the model's own tokenizer")
        }
        task = try Self.task(manifest.task, names)
        sharers = try SharerPool(manifest.sharers, config: folder.config, names: names)
        targets = try Self.targets(manifest, names)
    }

    /// The sharers of one target, most similar first.
    ///
    /// - Parameter embedding: the target's place in the pool's embedding space; nil to have the base encode the history.
    public func select(
        _ user: User, _ embedding: [Float]?, model: any LanguageModel, base: String
    ) throws(JobError) -> [Sharer] {
        guard sharers.selects, embedding == nil else { return try sharers.select(embedding, user: user.id) }
        try sharers.requireEncoder(base: base, user: user.id)
        let encoded = try told {
            let texts = try task.embeddingTexts(user)
            return userEmbedding(try model.embed(texts.map { Array(tokenizer.encode($0).prefix(512)) }))
        }
        return try sharers.select(encoded, user: user.id)
    }

    static func task(_ name: String, _ names: Names) throws(JobError) -> TaskDefinition {
        if let task = TaskDefinition.builtIn(name) { return task }
        let file = name.hasSuffix(".json") || name.hasSuffix(".json5") ? name : "\(name).json"
        let bytes = try names.file(file, .task, limit: 1 << 20, place: "manifest: task")
        return try told { try TaskDefinition(definition: bytes, file: file) }
    }

    private static func targets(_ manifest: JobManifest, _ names: Names) throws(JobError) -> [Target] {
        var targets: [Target]
        switch manifest.targets {
        case .file(let file):
            let bytes = try names.file(file, .history, limit: 1 << 30, place: "manifest: targets")
            let users = try told { try readUsers(bytes, file: file) }
            targets = try users.map { user throws(JobError) in
                guard isPlainID(user.id) else {
                    throw JobError(
                        code: "bad-id", place: "\(file): user_id",
                        message: "an id that cannot name a folder; use 1 to 128 of A-Z a-z 0-9 . _ -")
                }
                return Target(user: user.id, input: .success((user, nil)))
            }
        case .list(let list):
            targets = list.enumerated().map { index, target in
                Target(
                    user: target.user,
                    input: Result {
                        () throws(JobError) in try Self.user(target, "manifest: targets[\(index)]", names)
                    })
            }
        }
        if let only = manifest.only {
            for user in only where !targets.contains(where: { $0.user == user }) {
                throw JobError(
                    code: "not-found", place: "manifest: only", message: "user \(user) is not among the targets")
            }
            targets.removeAll { !only.contains($0.user) }
        }
        return targets
    }

    private static func user(
        _ target: JobManifest.Target, _ place: String, _ names: Names
    ) throws(JobError) -> (user: User, embedding: [Float]?) {
        func source(_ source: JobManifest.Source, _ field: String) throws(JobError) -> (bytes: [UInt8], file: String) {
            switch source {
            case .file(let file): (try names.file(file, .history, limit: 1 << 28, place: "\(place).\(field)"), file)
            case .inline(let bytes): (bytes, "\(place).\(field)")
            }
        }
        let history = try source(target.history, "history")
        let items = try told { try readHistory(history.bytes, file: history.file) }
        var queries: [Query] = []
        if let given = target.queries {
            let read = try source(given, "queries")
            queries = try told { try readQueries(read.bytes, file: read.file) }
        }
        let user = User(id: target.user, history: items, queries: queries, profile: target.profile)
        return (user, target.embedding)
    }
}

/// The sharers of a job: a pool to select from, or those that the manifest lists.
public struct SharerPool {
    /// Sharers that may be used, adapters read when they are selected.
    private let members: [(id: String, adapter: String)]
    /// A row a member; nil where the manifest lists the sharers.
    private let embeddings: [SharerEmbedding]?
    /// What made the pool's embeddings.
    private let encoder: String?
    private let top: Int
    private let config: LlamaConfig
    let path: String

    init(_ sharers: JobManifest.Sharers, config: LlamaConfig, names: Names) throws(JobError) {
        self.config = config
        switch sharers {
        case .adapters(let adapters):
            var members: [(id: String, adapter: String)] = []
            for (index, entry) in adapters.enumerated() {
                let place = "manifest: sharers[\(index)].adapter"
                members.append((entry.id, try names.folder(entry.adapter, .adapter, place: place)))
            }
            self.members = members
            embeddings = nil
            encoder = nil
            top = members.count
            path = "manifest: sharers"
        case .pool(let name, let top):
            path = try names.folder(name, .pool, place: "manifest: sharers.pool")
            self.top = top
            (members, embeddings, encoder) = try Self.read(path, name)
        }
    }

    private static func read(
        _ path: String, _ name: String
    ) throws(JobError) -> ([(id: String, adapter: String)], [SharerEmbedding]?, String?) {
        let place = "\(name)/\(PoolManifest.fileName)"
        let pool = try told {
            try PoolManifest(
                try Files.read(PoolManifest.fileName, beneath: path, limit: 64 << 20), file: place)
        }
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
                message: "no tensor \(embeddings.tensor) of \(pool.members.count) rows in \(embeddings.file); "
                    + "write one row a member, in the order of members")
        }
        let values = tensor.floats()
        let width = tensor.shape[1]
        let today = String(WallClock.timestamp().prefix(10))
        var members: [(id: String, adapter: String)] = []
        var rows: [SharerEmbedding] = []
        for (row, member) in pool.members.enumerated() where member.isUsable(on: today) {
            members.append((member.id, "\(path)/\(member.adapter)"))
            rows.append(
                SharerEmbedding(id: member.id, vector: Array(values[(row * width)..<((row + 1) * width)])))
        }
        return (members, rows, embeddings.encoder)
    }

    /// Whether the sharers of a target are selected by its embedding.
    var selects: Bool { embeddings != nil }

    /// Refuses to compare the base's encoding with a pool that another encoder made.
    func requireEncoder(base: String, user: String) throws(JobError) {
        guard let encoder, !encoder.hasPrefix(base) else { return }
        throw JobError(
            code: "embedding", place: "user \(user)",
            message: "no embedding, and the pool's come from another encoder (\(encoder)); give the target's embedding")
    }

    /// The sharers of one target, most similar first, with their adapters.
    func select(_ embedding: [Float]?, user: String) throws(JobError) -> [Sharer] {
        guard let embeddings, let embedding else {
            return try members.map { member throws(JobError) in try sharer(member, cosine: nil) }
        }
        let chosen = try told {
            try mostSimilar(
                to: embedding, among: embeddings.filter { $0.id != user }, count: top, place: "user \(user)")
        }
        let others = members.filter { $0.id != user }
        return try chosen.map { one throws(JobError) in try sharer(others[one.index], cosine: one.cosine) }
    }

    private func sharer(_ member: (id: String, adapter: String), cosine: Double?) throws(JobError) -> Sharer {
        let adapter = try told { try Adapter(member.adapter, for: config) }
        return Sharer(id: member.id, adapter: adapter, cosine: cosine)
    }
}
