import JSON

extension JobManifest {
    private static let keys = [
        "job", "id", "base", "task", "sharers", "targets", "only", "evolve", "privacy", "generate", "priority",
        "submitter", "limits", "notes",
    ]

    /// Reads a manifest; throws every mistake in it, not only the first.
    ///
    /// - Parameter file: the manifest's name, for messages.
    public init(_ bytes: [UInt8], file: String) throws(ManifestError) {
        let fields = try Fields(bytes, file: file, known: Self.keys)
        enum Kind: String, CaseIterable { case personalize }
        fields.require("job", "\"personalize\"")
        _ = fields.choice("job", Kind.self)
        id = fields.id("id")
        fields.require("base", "a model's name")
        base = fields.path("base") ?? ""
        fields.require("task", "a task's name")
        task = fields.path("task") ?? ""
        fields.require("sharers", "{\"pool\": NAME, \"top_k\": 3} or a list of {id, adapter}")
        sharers = Self.sharers(fields) ?? .adapters([])
        fields.require("targets", "a list of {user, history, queries}, or the name of a file of users")
        let targets = Self.targets(fields)
        self.targets = targets ?? .list([])
        only = Self.only(fields, of: targets)
        submitter = fields.id("submitter")
        _ = fields.text("notes")
        if let value = fields.integer("priority", in: -100...100) { priority = value }
        if let section = fields.section("limits", known: ["seconds"]) {
            seconds = section.number("seconds", in: 1...1e9)
        }
        if let section = fields.section("evolve", known: Evolve.keys) { evolve = Evolve(section) }
        if let section = fields.section("privacy", known: ["alpha", "max_similarity"]) {
            if let value = section.number("alpha", in: 0...100) { privacy.alpha = value }
            privacy.maxSimilarity = section.number("max_similarity", in: -1000...1000)
        }
        if let section = fields.section("generate", known: ["max_new_tokens"]),
            let value = section.integer("max_new_tokens", in: 1...4096)
        {
            maxNewTokens = value
        }
        try fields.mistakes.check(id: id)
    }

    // MARK: - Sharers

    private static func sharers(_ fields: Fields) -> Sharers? {
        switch fields.object["sharers"] {
        case nil: return nil
        case .list(let list):
            guard (1...64).contains(list.count) else {
                fields.wrong(.outOfRange, "sharers", found: "\(list.count) adapters", remedy: "list 1 to 64")
                return nil
            }
            var adapters: [NamedAdapter] = []
            for (index, value) in list.enumerated() {
                let key = "sharers[\(index)]"
                guard let entry = fields.element(value, key, "{id, adapter}", known: ["id", "adapter"]),
                    let adapter = adapter(entry)
                else { continue }
                if adapters.contains(where: { $0.id == adapter.id }) {
                    entry.wrong(
                        .duplicate, "id", found: "\(adapter.id) again", remedy: "give each sharer an id of its own")
                }
                adapters.append(adapter)
            }
            return .adapters(adapters)
        case let value?:
            guard let section = fields.element(value, "sharers", "{pool, top_k} or a list", known: ["pool", "top_k"])
            else { return nil }
            section.require("pool", "a pool's name")
            return .pool(section.path("pool") ?? "", top: section.integer("top_k", in: 1...64) ?? 3)
        }
    }

    private static func adapter(_ entry: Fields) -> NamedAdapter? {
        entry.require("adapter", "the path of a PEFT adapter folder")
        guard let adapter = entry.path("adapter") else { return nil }
        guard entry.object["id"] == nil else { return entry.id("id").map { NamedAdapter(id: $0, adapter: adapter) } }
        let name = String(Substring(adapter.utf8.split(separator: UInt8(ascii: "/")).last ?? adapter.utf8[...]))
        guard isPlainID(name) else {
            entry.wrong(
                .badID, "id", found: "nothing, and the folder's name is no id", remedy: "write \(plainIDWords)")
            return nil
        }
        return NamedAdapter(id: name, adapter: adapter)
    }

    // MARK: - Targets

    private static func targets(_ fields: Fields) -> Targets? {
        switch fields.object["targets"] {
        case nil: return nil
        case .string: return fields.path("targets").map { .file(UsersFile(users: $0)) }
        case .list(let list): return targets(list, fields).map { .list($0) }
        case let value?:
            let keys = ["users", "profiles", "embeddings"]
            guard let section = fields.element(value, "targets", "a list, or the name of a file of users", known: keys)
            else { return nil }
            section.require("users", "the name of a file of users")
            return .file(
                UsersFile(
                    users: section.path("users") ?? "", profiles: section.path("profiles"),
                    embeddings: section.path("embeddings")))
        }
    }

    private static func targets(_ list: [JSONValue], _ fields: Fields) -> [Target]? {
        var targets: [Target] = []
        var seen: Set<String> = []
        for (index, value) in list.enumerated() where !fields.mistakes.isFull {
            let entry = fields.element(
                value, "targets[\(index)]", "{user, history, queries}",
                known: ["user", "history", "queries", "profile", "embedding"])
            guard let entry, let target = target(entry) else { continue }
            if !seen.insert(target.user).inserted {
                entry.wrong(.duplicate, "user", found: "\(target.user) again", remedy: "give each user once")
            }
            targets.append(target)
        }
        if list.isEmpty { fields.wrong(.missing, "targets", found: "no target", remedy: "give at least one user") }
        return targets.count == list.count ? targets : nil
    }

    private static func target(_ entry: Fields) -> Target? {
        entry.require("user", "the user's id")
        entry.require("history", "a list of items, or the name of a file")
        let history = source(entry, "history")
        let queries = source(entry, "queries")
        let profile = entry.text("profile")
        let embedding = embedding(entry)
        guard let user = entry.id("user"), let history else { return nil }
        guard isUserID(user) else {
            entry.wrong(
                .badID, "user", found: "\"\(user)\", a name that files of a result have", remedy: "give another id")
            return nil
        }
        return Target(user: user, history: history, queries: queries, profile: profile, embedding: embedding)
    }

    private static func source(_ entry: Fields, _ key: String) -> Source? {
        switch entry.object[key] {
        case nil: return nil
        case .string: return entry.path(key, mayBeText: true).map { .file($0) }
        case .list(let list)?:
            guard !list.isEmpty || key == "queries" else {
                entry.wrong(.missing, key, found: "an empty list", remedy: "give at least one item")
                return nil
            }
            return .inline(JSONValue.list(list).encoded)
        case let value?:
            entry.wrongType(key, value, "a list, or the name of a file")
            return nil
        }
    }

    private static func embedding(_ entry: Fields) -> [Float]? {
        guard let value = entry.object["embedding"] else { return nil }
        guard case .list(let list) = value, (1...65536).contains(list.count) else {
            entry.wrongType("embedding", value, "a list of 1 to 65536 numbers")
            return nil
        }
        var embedding: [Float] = []
        for (index, value) in list.enumerated() {
            guard case .number(let text) = value, let number = Float(text), number.isFinite else {
                entry.wrongType("embedding[\(index)]", value, "a finite single-precision number")
                return nil
            }
            embedding.append(number)
        }
        guard embedding.contains(where: { $0 != 0 }) else {
            entry.wrong(.outOfRange, "embedding", found: "only zeros", remedy: "write a vector with a direction")
            return nil
        }
        return embedding
    }

    /// - Parameter targets: nil where they are mistaken, so that nobody knows who is among them.
    private static func only(_ fields: Fields, of targets: Targets?) -> [String]? {
        guard let value = fields.object["only"] else { return nil }
        guard case .list(let list) = value, !list.isEmpty else {
            fields.wrongType("only", value, "a list of users' ids")
            return nil
        }
        var known: Set<String>?
        if case .list(let targets) = targets { known = Set(targets.map(\.user)) }
        var users: [String] = []
        for (index, value) in list.enumerated() where !fields.mistakes.isFull {
            guard let user = value.text, isUserID(user) else {
                fields.wrongType("only[\(index)]", value, "a user's id")
                continue
            }
            if let known, !known.contains(user) {
                fields.wrong(
                    .notFound, "only[\(index)]", found: "\"\(user)\", who is not among the targets",
                    remedy: "name users of targets")
            }
            users.append(user)
        }
        return users
    }
}

extension JobManifest.Evolve {
    static let keys = [
        "optimizer", "budget", "seed", "granularity", "merge", "bound", "recent", "fraction", "retrieval", "hold_out",
        "temperature",
    ]

    init(_ fields: Fields) {
        if let value = fields.choice("optimizer", JobManifest.Optimizer.self) { optimizer = value }
        if let value = fields.integer("budget", in: 1...100_000) { budget = value }
        if let value = fields.integer("seed", in: 0...UInt64.max) { seed = value }
        if let value = fields.choice("granularity", JobManifest.Granularity.self) { granularity = value }
        if let value = fields.choice("merge", JobManifest.Merge.self) { merge = value }
        if let value = fields.number("bound", in: 0.01...100) { bound = value }
        if let value = fields.integer("recent", in: 0...100_000) { recent = value }
        if let value = fields.number("fraction", in: 0.001...1) { fraction = value }
        retrieval = fields.flag("retrieval")
        holdOut = fields.number("hold_out", in: 0...0.9)
        temperature = fields.number("temperature", in: 0.01...10)
    }
}
