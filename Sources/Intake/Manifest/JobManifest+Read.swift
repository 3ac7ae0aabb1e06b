import JSON

extension JobManifest {
    /// Manifests nest no deeper and are no larger than this.
    public static let largest = 256 << 20

    /// Reads a manifest; throws every mistake in it, not only the first.
    ///
    /// - Parameter file: the manifest's name, for messages.
    public init(_ bytes: [UInt8], file: String) throws(ManifestError) {
        let mistakes = Mistakes()
        let root = try readObject(bytes, file: file, limit: Self.largest, json5: false)
        let fields = Fields(
            root, place: "\(file):", mistakes: mistakes,
            known: [
                "job", "id", "base", "task", "sharers", "targets", "only", "evolve", "privacy", "generate", "priority",
                "submitter",
            ])
        enum Kind: String, CaseIterable { case personalize }
        if fields.requiredText("job", "\"personalize\"") != nil { _ = fields.choice("job", Kind.self) }
        id = fields.id("id")
        base = fields.object["base"] == nil ? "" : fields.file("base") ?? ""
        if fields.object["base"] == nil { fields.missing("base", "a model's name") }
        task = fields.object["task"] == nil ? "" : fields.file("task") ?? ""
        if fields.object["task"] == nil { fields.missing("task", "a task's name") }
        sharers = Self.sharers(fields)
        targets = Self.targets(fields)
        only = Self.only(fields)
        submitter = fields.id("submitter")
        if let value = fields.integer("priority", in: -100...100) { priority = value }
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
        guard mistakes.found.isEmpty else { throw ManifestError(mistakes.found) }
    }

    private static func sharers(_ fields: Fields) -> Sharers {
        let known = ["pool", "top_k"]
        switch fields.object["sharers"] {
        case .object:
            guard let section = fields.section("sharers", known: known) else { break }
            if section.object["pool"] == nil { section.missing("pool", "a pool's name") }
            return .pool(section.file("pool") ?? "", top: section.integer("top_k", in: 1...64) ?? 3)
        case .list(let list):
            var adapters: [NamedAdapter] = []
            for (index, value) in list.enumerated() {
                let key = "sharers[\(index)]"
                guard case .object(let object) = value else {
                    fields.wrong(key, value, "an object of id and adapter")
                    continue
                }
                let entry = Fields(
                    object, place: fields.path(key), mistakes: fields.mistakes, known: ["id", "adapter"])
                if entry.object["adapter"] == nil { entry.missing("adapter", "the path of a PEFT adapter folder") }
                guard let adapter = entry.file("adapter") else { continue }
                let id = entry.id("id") ?? String(adapter.split(separator: "/").last ?? "")
                if adapters.contains(where: { $0.id == id }) {
                    fields.mistakes.add(
                        Mistake(.duplicate, entry.path("id"), found: printable(id), remedy: "give each sharer once"))
                }
                adapters.append(NamedAdapter(id: id, adapter: adapter))
            }
            if list.isEmpty || list.count > 64 {
                fields.mistakes.add(
                    Mistake(
                        .outOfRange, fields.path("sharers"), found: "\(list.count) adapters", remedy: "list 1 to 64"))
            }
            return .adapters(adapters)
        case let value?: fields.wrong("sharers", value, "{pool, top_k} or a list of adapters")
        case nil: fields.missing("sharers", "{\"pool\": NAME, \"top_k\": 3} or a list of adapters")
        }
        return .adapters([])
    }

    private static func targets(_ fields: Fields) -> Targets {
        switch fields.object["targets"] {
        case .string(let file): return .file(fields.checked(file, "targets") ?? "")
        case .list(let list):
            var targets: [Target] = []
            var seen: Set<String> = []
            for (index, value) in list.enumerated() {
                let key = "targets[\(index)]"
                guard case .object(let object) = value else {
                    fields.wrong(key, value, "an object of user, history and queries")
                    continue
                }
                guard let target = Self.target(object, fields, key) else { continue }
                if !seen.insert(target.user).inserted {
                    fields.mistakes.add(
                        Mistake(
                            .duplicate, fields.path("\(key).user"), found: "\(target.user) again",
                            remedy: "give each user once"))
                }
                targets.append(target)
            }
            if list.isEmpty {
                fields.mistakes.add(
                    Mistake(.missing, fields.path("targets"), found: "no target", remedy: "give at least one user"))
            }
            return .list(targets)
        case let value?: fields.wrong("targets", value, "a list of users, or the name of a file of users")
        case nil: fields.missing("targets", "a list of users, or the name of a file of users")
        }
        return .list([])
    }

    private static func target(_ object: JSONObject, _ fields: Fields, _ key: String) -> Target? {
        let entry = Fields(
            object, place: fields.path(key), mistakes: fields.mistakes,
            known: ["user", "history", "queries", "profile", "embedding"])
        if entry.object["user"] == nil { entry.missing("user", "the user's id") }
        if entry.object["history"] == nil { entry.missing("history", "a list of items, or the name of a file") }
        let history = source(entry, "history")
        let queries = source(entry, "queries")
        let embedding = embedding(entry)
        guard let user = entry.id("user"), let history else { return nil }
        return Target(
            user: user, history: history, queries: queries, profile: entry.text("profile"), embedding: embedding)
    }

    private static func source(_ entry: Fields, _ key: String) -> Source? {
        switch entry.object[key] {
        case nil: return nil
        case .string: return entry.file(key).map { .file($0) }
        case let value? where value.kind == "a list": return .inline(value.encoded)
        case let value?:
            entry.wrong(key, value, "a list, or the name of a file")
            return nil
        }
    }

    private static func embedding(_ entry: Fields) -> [Float]? {
        guard let value = entry.object["embedding"] else { return nil }
        guard case .list(let list) = value, (1...65536).contains(list.count) else {
            entry.wrong("embedding", value, "a list of numbers")
            return nil
        }
        var embedding: [Float] = []
        for (index, value) in list.enumerated() {
            guard case .number(let text) = value, let number = Float(text), number.isFinite else {
                entry.wrong("embedding[\(index)]", value, "a finite number")
                return nil
            }
            embedding.append(number)
        }
        return embedding
    }

    private static func only(_ fields: Fields) -> [String]? {
        guard let value = fields.object["only"] else { return nil }
        guard case .list(let list) = value, !list.isEmpty, list.allSatisfy({ $0.text != nil }) else {
            fields.wrong("only", value, "a list of users' ids")
            return nil
        }
        return list.compactMap(\.text)
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
        if let value = fields.seed("seed") { seed = value }
        if let value = fields.choice("granularity", JobManifest.Granularity.self) { granularity = value }
        if let value = fields.choice("merge", JobManifest.Merge.self) { merge = value }
        if let value = fields.number("bound", in: 0.01...100) { bound = value }
        if let value = fields.integer("recent", in: 0...100_000) { recent = value }
        if let value = fields.number("fraction", in: 0.001...1) { fraction = value }
        retrieval = fields.bool("retrieval")
        holdOut = fields.number("hold_out", in: 0...0.9)
        temperature = fields.number("temperature", in: 0.01...10)
    }
}

/// The object that a file consists of.
func readObject(
    _ bytes: [UInt8], file: String, limit: Int, json5: Bool
) throws(ManifestError) -> JSONObject {
    guard bytes.count <= limit else {
        throw ManifestError([
            Mistake(.malformed, file, found: "\(bytes.count) bytes", remedy: "keep it under \(limit) bytes")
        ])
    }
    let value: JSONValue
    do {
        var reader = try JSONReader(bytes, file: file, json5: json5)
        value = try reader.document()
    } catch {
        throw ManifestError([
            Mistake(
                error.code == .duplicate ? .duplicate : .malformed, error.place, found: error.found,
                remedy: error.remedy)
        ])
    }
    guard case .object(let object) = value else {
        throw ManifestError([Mistake(.wrongType, file, found: value.kind, remedy: "write an object")])
    }
    return object
}
