import JSON

/// A pool's words: who shares adapters of one base, and where they lie in embedding space.
public struct PoolManifest: Equatable, Sendable {
    public static let fileName = "pool.json"

    public var task: String?
    public var base: String?
    public var embeddings: Embeddings?
    public var members: [Member]

    public struct Embeddings: Equatable, Sendable {
        /// A safetensors file in the pool's folder.
        public var file: String
        /// The tensor `[members, d]`, a row a member in the order of `members`.
        public var tensor: String
        /// What made them, in words; a target's embedding must come from the same.
        public var encoder: String?
    }

    public struct Member: Equatable, Sendable {
        public var id: String
        /// A PEFT folder below the pool's.
        public var adapter: String
        public var consent: Bool
        /// The last day of the consent, `YYYY-MM-DD`.
        public var expires: String?

        /// Whether the adapter may be used on `day` (`YYYY-MM-DD`).
        public func isUsable(on day: String) -> Bool { consent && (expires.map { $0 >= day } ?? true) }
    }

    public init(_ bytes: [UInt8], file: String) throws(ManifestError) {
        let mistakes = Mistakes()
        let root = try readObject(bytes, file: file, limit: 64 << 20, json5: false)
        let fields = Fields(
            root, place: "\(file):", mistakes: mistakes, known: ["schema", "task", "base", "embeddings", "members"])
        _ = fields.integer("schema", in: 1...1)
        task = fields.text("task")
        base = fields.text("base")
        if let section = fields.section("embeddings", known: ["file", "tensor", "encoder"]) {
            if section.object["file"] == nil { section.missing("file", "a safetensors file's name") }
            embeddings = Embeddings(
                file: section.file("file") ?? "", tensor: section.text("tensor") ?? "sharers",
                encoder: section.text("encoder"))
        }
        members = []
        switch fields.object["members"] {
        case .list(let list):
            var seen: Set<String> = []
            for (index, value) in list.enumerated() {
                guard case .object(let object) = value else {
                    fields.wrong("members[\(index)]", value, "an object of id, adapter and consent")
                    continue
                }
                let entry = Fields(
                    object, place: fields.path("members[\(index)]"), mistakes: mistakes,
                    known: ["id", "adapter", "consent", "expires"])
                if let member = Member(entry, &seen) { members.append(member) }
            }
            if list.isEmpty { fields.missing("members", "at least one member") }
        case let value?: fields.wrong("members", value, "a list")
        case nil: fields.missing("members", "a list of {id, adapter, consent}")
        }
        guard mistakes.found.isEmpty else { throw ManifestError(mistakes.found) }
    }
}

extension PoolManifest.Member {
    fileprivate init?(_ fields: Fields, _ seen: inout Set<String>) {
        for key in ["id", "adapter", "consent"] where fields.object[key] == nil {
            fields.missing(key, key == "consent" ? "true or false" : "the member's \(key)")
        }
        guard let id = fields.id("id"), let adapter = fields.file("adapter"), let consent = fields.bool("consent")
        else { return nil }
        if !seen.insert(id).inserted {
            fields.mistakes.add(
                Mistake(.duplicate, fields.path("id"), found: "\(id) again", remedy: "list each member once"))
        }
        let expires = fields.text("expires")
        if let expires, !isDay(expires) {
            fields.mistakes.add(
                Mistake(
                    .outOfRange, fields.path("expires"), found: "\"\(printable(expires))\"",
                    remedy: "write a day as YYYY-MM-DD"))
        }
        self.init(id: id, adapter: adapter, consent: consent, expires: expires)
    }
}

private func isDay(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2], let month = Int(parts[1]), let day = Int(parts[2]), Int(parts[0]) != nil
    else { return false }
    return (1...12).contains(month) && (1...31).contains(day)
}
