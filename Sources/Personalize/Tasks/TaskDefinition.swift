/// What is asked of a model for a user, how its history trains it to answer, and how answers are judged.
public struct TaskDefinition: Sendable {
    /// What kind of answer is asked for.
    public enum Kind: Sendable, Equatable {
        /// One of these answers is right.
        case classification(labels: [String])
        /// Numbers on a scale, in rising order; near misses count as near.
        case ordinal(labels: [String])
        /// Free text.
        case generation
    }

    /// How much of a completion is the answer.
    enum Extent: String, CaseIterable {
        case whole
        case firstLine = "first-line"
    }

    /// The prompts that a history item makes.
    struct HistoryForm: Sendable {
        /// Filled by the item's fields.
        let prompt: Template
        /// What follows the prompt; filled, it is the answer.
        let answer: Template
        /// Whitespace-separated words of each field that go into a prompt.
        var words = 768
    }

    /// How earlier items are found and shown in an item's second prompt.
    struct Retrieval: Sendable {
        /// An item as it is searched, shown and embedded.
        let document: Template
        let query: Template
        /// Whitespace-separated words of each field that go into a document.
        var words = 368
        /// Whether second prompts are made unless a job says otherwise.
        let isDefault: Bool
    }

    /// The prompt of a query.
    struct QueryForm: Sendable {
        /// Its openings are filled with the parts of the query's input.
        let prompt: Template
        let parts: [Part]
    }

    /// A part of a query's input.
    enum Part: Sendable, Equatable {
        case whole
        /// What follows the first occurrence.
        case after(String)
        case between(String, String)
    }

    /// A LaMP key, such as `movie_tagging`, or the name in the definition file.
    public let name: String
    /// The name in the LaMP benchmark, for its tasks.
    public let lampID: String?
    public let kind: Kind
    let history: HistoryForm
    let retrieval: Retrieval?
    let query: QueryForm
    let extent: Extent
    /// Of the history, which steers the search; answers to queries are not scored.
    let metrics: [any Metric]
    /// As the metrics tell them apart.
    let labels: Labels

    init(
        name: String, lampID: String? = nil, kind: Kind, metrics: [any Metric.Type], history: HistoryForm,
        retrieval: Retrieval?, query: QueryForm, extent: Extent = .whole
    ) {
        self.name = name
        self.lampID = lampID
        self.kind = kind
        self.metrics = metrics.map { $0.init(labels: kind.labels) }
        labels = Labels(kind.labels)
        self.history = history
        self.retrieval = retrieval
        self.query = query
        self.extent = extent
    }

    /// The metrics of the history, in the order in which a score has them.
    public var metricNames: [String] { metrics.map { type(of: $0).name } }

    /// Whether each history item but the first gets a second prompt with a retrieved one, unless a job says otherwise.
    public var retrievesByDefault: Bool { retrieval?.isDefault ?? false }

    // MARK: - Built in

    /// The task of a LaMP key ("movie_tagging") or id ("LaMP_2M").
    public static func builtIn(_ name: String) -> TaskDefinition? {
        all.first { $0.name == name || $0.lampID == name }
    }

    static let all: [TaskDefinition] = [
        .citation, .movieTagging, .newsCategorize, .productRating, .newsHeadline, .scholarlyTitle, .tweetParaphrase,
    ]
}

extension TaskDefinition.Kind {
    /// The answers that can be right; none where any text can.
    public var labels: [String] {
        switch self {
        case .classification(let labels), .ordinal(let labels): labels
        case .generation: []
        }
    }
}
