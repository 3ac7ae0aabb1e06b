/// One thing a user did: a movie tagged, a headline written.
public struct HistoryItem: Sendable, Equatable {
    /// The data's, each once in a history.
    public let id: String
    /// What the data has of it, by field name; numbers as Python writes them.
    public let fields: [String: String]

    public init(id: String, fields: [String: String]) {
        self.id = id
        self.fields = fields
    }

    /// A field's text; `id` is the item's id.
    func field(_ name: String) -> String? { fields[name] ?? (name == "id" ? id : nil) }
}

/// A question to answer for a user.
public struct Query: Sendable, Equatable {
    /// The data's, each once among a user's queries; it names the answer in predictions.
    public let id: String
    /// The question as the data has it; tasks take it apart.
    public let input: String

    public init(id: String, input: String) {
        self.id = id
        self.input = input
    }
}

/// A user of a task: what they did, and what is to be answered for them.
public struct User: Sendable, Equatable {
    public let id: String
    /// Oldest first.
    public let history: [HistoryItem]
    public let queries: [Query]
    /// A text about the user that stands in prompts with retrieval.
    public let profile: String?

    public init(id: String, history: [HistoryItem], queries: [Query] = [], profile: String? = nil) {
        self.id = id
        self.history = history
        self.queries = queries
        self.profile = profile
    }

    /// The user with the profile text that `profiles` has of it, by user id.
    public func adding(profiles: [String: String]) -> User {
        User(id: id, history: history, queries: queries, profile: profiles[id] ?? profile)
    }
}
