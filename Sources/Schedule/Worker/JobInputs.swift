import Checkpoints
import Digest
import Llama
import Manifest
import Methods
import Posix
import Tasks
import Tokenizers

/// What a job's manifest names, read and checked: nothing is computed before all of it is sound.
public struct JobInputs {
    /// The base on disk.
    public let folder: ModelFolder
    /// The base's.
    public let tokenizer: Tokenizer
    public let task: TaskDefinition
    /// SHA-256 of the task's definition file; empty for a built-in task.
    let taskDigest: String
    /// Who may be used; a run reads it anew before each cohort.
    public private(set) var sharers: SharerPool
    /// In the order of the manifest or of its file of users; only those that `only` names, where it does.
    public let targets: [Target]

    /// A user to personalize, or why that user cannot be.
    public struct Target {
        /// The user's id.
        public let user: String
        /// The place of the target's embedding, given or not, for messages.
        let embeddingPlace: String
        /// The embedding is nil where the base is to encode the history.
        public let input: Result<(user: User, embedding: [Float]?), JobError>
    }

    /// Reads all of it; throws the first fault that concerns the whole job. What is wrong with a target is in its `input`.
    public init(_ manifest: JobManifest, names: Names) throws(JobError) {
        (folder, tokenizer) = try Self.base(manifest.base, names)
        (task, taskDigest) = try Self.task(manifest.task, names)
        sharers = try SharerPool(manifest.sharers, base: manifest.base, task: task, folder.config, names: names)
        targets = try Self.targets(manifest, names)
    }

    /// Which targets go through the engine together.
    func cohorts(_ manifest: JobManifest) throws(JobError) -> Cohorts {
        let items = targets.map { target in
            (try? target.input.get()).map { TargetWork($0.user, manifest).items }
        }
        return Cohorts(
            items: items, sharers: sharers.counts.each, pool: sharers.counts.all, slots: try sharers.slots())
    }

    /// Looks anew who may be used: a consent that was withdrawn, or has expired, counts for every target that is not begun.
    mutating func rereadSharers(_ manifest: JobManifest, names: Names) throws(JobError) {
        sharers = try SharerPool(
            manifest.sharers, base: manifest.base, task: task, folder.config, names: names, adapters: sharers.adapters)
    }

    /// A base and its tokenizer, of the job's own or the site's.
    public static func base(_ name: String, _ names: Names) throws(JobError) -> (ModelFolder, Tokenizer) {
        let path = try names.folder(name, .model, place: "manifest: base")
        let folder = try told { try ModelFolder(path) }
        let tokenizer = try told { try Tokenizer(folder: path) }
        guard tokenizer.vocabularySize <= folder.config.vocabulary else {
            throw JobError(
                code: "contradiction", place: path,
                message: "the tokenizer has \(tokenizer.vocabularySize) tokens where the model has "
                    + "\(folder.config.vocabulary); take the model's own tokenizer")
        }
        return (folder, tokenizer)
    }

    /// The sharers of one target, most similar first.
    ///
    /// - Parameters:
    ///   - embedding: the target's place in the pool's embedding space; nil to have the base encode the history.
    ///   - progress: told before each step of that; returning false ends it as `MethodError.interrupted`.
    public func select(
        _ user: User, _ embedding: [Float]?, model: any LanguageModel, base: String,
        progress: (RunProgress) -> Bool = { _ in true }
    ) throws(JobError) -> [Sharer] {
        try sharers.select(embedding, user: user.id, base: base) { () throws(JobError) in
            try told { try encoding(user, model, progress) }
        }
    }

    private func encoding(
        _ user: User, _ model: any LanguageModel, _ progress: (RunProgress) -> Bool
    ) throws -> [Float] {
        let texts = try task.embeddingTexts(user).map { Array(tokenizer.encode($0).prefix(512)) }
        // What an earlier cohort left would decide over the memory that there is, and so over the last bits.
        try model.load(bank: [])
        var vectors: [[Float]] = []
        while vectors.count < texts.count {
            guard progress(.encoding(finished: vectors.count, total: texts.count)) else {
                throw MethodError.interrupted(user.id)
            }
            var tokens = 0
            let step = texts[vectors.count...].prefix {
                tokens += $0.count
                return tokens <= 2048
            }
            vectors += try model.embed(Array(step))
        }
        return userEmbedding(vectors)
    }

    /// A task: a built-in one, or a definition file of the job's own or the site's, and that file's SHA-256.
    public static func task(
        _ name: String, _ names: Names
    ) throws(JobError) -> (definition: TaskDefinition, digest: String) {
        if let task = TaskDefinition.builtIn(name) { return (task, "") }
        let file = name.hasSuffix(".json") || name.hasSuffix(".json5") ? name : "\(name).json"
        let bytes = try names.file(file, .task, limit: 1 << 20, place: "manifest: task")
        return (try told { try TaskDefinition(definition: bytes, file: file) }, SHA256.hexadecimal(bytes))
    }

    static func targets(_ manifest: JobManifest, _ names: Names) throws(JobError) -> [Target] {
        var targets: [Target]
        switch manifest.targets {
        case .file(let file):
            targets = try Self.targets(file, names)
        case .list(let list):
            targets = list.enumerated().map { index, target in
                Target(
                    user: target.user, embeddingPlace: "manifest: targets[\(index)].embedding",
                    input: Result {
                        () throws(JobError) in try Self.user(target, "manifest: targets[\(index)]", names)
                    })
            }
        }
        if let only = manifest.only {
            let users = Set(targets.map(\.user))
            for user in only where !users.contains(user) {
                throw JobError(
                    code: "not-found", place: "manifest: only", message: "user \(user) is not among the targets")
            }
            let wanted = Set(only)
            targets.removeAll { !wanted.contains($0.user) }
        }
        return targets
    }

    private static func targets(
        _ file: JobManifest.UsersFile, _ names: Names
    ) throws(JobError) -> [Target] {
        let bytes = try names.file(file.users, .users, limit: 1 << 30, place: "manifest: targets")
        let users = try told { try readUsers(bytes, file: file.users) }
        let profiles = try file.profiles.map { name throws(JobError) in
            let bytes = try names.file(name, .profiles, limit: 1 << 28, place: "manifest: targets.profiles")
            return try told { try readProfiles(bytes, file: name) }
        }
        let embeddings = try file.embeddings.map { name throws(JobError) in
            let path = try names.path(name, .embeddings, place: "manifest: targets.embeddings")
            return try told { try Safetensors(path) }
        }
        return try users.map { (id, read) throws(JobError) in
            guard isUserID(id) else {
                throw JobError(
                    code: "bad-id", place: "\(file.users): user_id",
                    message: "an id that cannot name a folder of a result; use 1 to 128 of A-Z a-z 0-9 . _ - and no "
                        + "name of a result's own files")
            }
            let input = Result { () throws(JobError) -> (user: User, embedding: [Float]?) in
                let user = try told { try read.get() }
                let whole = profiles.map { user.adding(profiles: $0) } ?? user
                guard let embeddings else { return (whole, nil) }
                guard let vector = embeddings[id], vector.shape.count == 1 else {
                    throw JobError(
                        code: "embedding", place: "\(file.embeddings ?? ""): \(id)",
                        message: "no vector of that name; write one tensor [d] a user, named by the user's id")
                }
                return (whole, vector.floats())
            }
            let place = file.embeddings.map { "\($0): \(id)" } ?? "manifest: targets.embeddings"
            return Target(user: id, embeddingPlace: place, input: input)
        }
    }

    private static func user(
        _ target: JobManifest.Target, _ place: String, _ names: Names
    ) throws(JobError) -> (user: User, embedding: [Float]?) {
        func read(
            _ source: JobManifest.Source, _ kind: Names.Kind, _ place: String
        ) throws(JobError) -> (bytes: [UInt8], file: String) {
            switch source {
            case .file(let file): (try names.file(file, kind, limit: 1 << 28, place: place), file)
            case .inline(let bytes): (bytes, place)
            }
        }
        let history = try read(target.history, .history, "\(place).history")
        let items = try told { try readHistory(history.bytes, file: history.file) }
        var queries: [Query] = []
        if let given = target.queries {
            let source = try read(given, .queries, "\(place).queries")
            queries = try told { try readQueries(source.bytes, file: source.file) }
        }
        let user = User(id: target.user, history: items, queries: queries, profile: target.profile)
        return (user, target.embedding)
    }
}
