import JSON

/// A pool's words: who shares adapters of one base, and where they lie in embedding space.
public struct PoolManifest: Equatable, Sendable {
    /// In the pool's folder.
    public static let fileName = "pool.json"

    /// The name of the task that the adapters were trained for; nil for any.
    public var task: String?
    /// The model that the adapters are for, of which the last part of the path counts; nil for any.
    public var base: String?
    /// Where the members lie in embedding space; nil for a pool that is not selected from.
    public var embeddings: Embeddings?
    /// At least one, each id once.
    public var members: [Member]

    /// Where the members' embeddings are.
    public struct Embeddings: Equatable, Sendable {
        /// A safetensors file in the pool's folder.
        public var file: String
        /// The tensor `[members, d]`, a row a member in the order of `members`.
        public var tensor: String
        /// What made them, in words; a target's embedding must come from the same.
        public var encoder: String?
    }

    /// One who shares an adapter.
    public struct Member: Equatable, Sendable {
        /// The sharer's in results; the selection for a user of the same id leaves it out.
        public var id: String
        /// A PEFT folder below the pool's.
        public var adapter: String
        /// Whether the member lets the adapter be used, until `expires`.
        public var consent: Bool
        /// The last day of the consent, `YYYY-MM-DD`.
        public var expires: String?

        /// Whether the adapter may be used on `day` (`YYYY-MM-DD`).
        public func isUsable(on day: String) -> Bool { consent && (expires.map { $0 >= day } ?? true) }
    }

    /// - Parameter file: the file's name, for messages.
    public init(_ bytes: [UInt8], file: String) throws(ManifestError) {
        let fields = try Fields(bytes, file: file, known: ["schema", "task", "base", "embeddings", "members"])
        _ = fields.integer("schema", in: 1...1)
        task = fields.text("task")
        base = fields.text("base")
        if let section = fields.section("embeddings", known: ["file", "tensor", "encoder"]) {
            section.require("file", "a safetensors file's name")
            embeddings = Embeddings(
                file: section.path("file", below: "the pool's folder") ?? "",
                tensor: section.text("tensor") ?? "sharers",
                encoder: section.text("encoder"))
        }
        fields.require("members", "a list of {id, adapter, consent}")
        members = Self.members(fields)
        try fields.mistakes.check()
    }

    private static func members(_ fields: Fields) -> [Member] {
        guard let value = fields.object["members"] else { return [] }
        guard case .list(let list) = value else {
            fields.wrongType("members", value, "a list of {id, adapter, consent}")
            return []
        }
        if list.isEmpty { fields.wrong(.missing, "members", found: "no member", remedy: "list at least one") }
        var members: [Member] = []
        var seen: Set<String> = []
        for (index, value) in list.enumerated() where !fields.mistakes.isFull {
            let entry = fields.element(
                value, "members[\(index)]", "{id, adapter, consent}", known: ["id", "adapter", "consent", "expires"])
            guard let entry, let member = Member(entry) else { continue }
            if !seen.insert(member.id).inserted {
                entry.wrong(.duplicate, "id", found: "\(member.id) again", remedy: "list each member once")
            }
            members.append(member)
        }
        return members
    }
}

extension PoolManifest.Member {
    fileprivate init?(_ fields: Fields) {
        fields.require("id", "the member's id")
        fields.require("adapter", "the member's PEFT folder")
        fields.require("consent", "true or false")
        let expires = fields.text("expires")
        if let expires, !isDay(expires) {
            fields.wrong(
                .outOfRange, "expires", found: "\"\(printable(expires))\"", remedy: "write a day as YYYY-MM-DD")
        }
        guard let id = fields.id("id"), let adapter = fields.path("adapter", below: "the pool's folder"),
            let consent = fields.flag("consent")
        else { return nil }
        self.init(id: id, adapter: adapter, consent: consent, expires: expires)
    }
}

/// Whether `text` is a day of the calendar as `YYYY-MM-DD`.
private func isDay(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2], parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
        let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]), (1...12).contains(month)
    else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...days[month - 1]).contains(day)
}
