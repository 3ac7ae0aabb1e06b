import JSON

/// A prompt made of a history item, and the answer that the user gave.
public struct Example: Sendable, Equatable {
    /// `uUSER-ITEM`, and `uUSER-ITEM-k1-p` for the prompt with a retrieved item.
    public let id: String
    /// The history item's id; with retrieval two prompts share it.
    public let item: String
    public let prompt: String
    /// What follows the prompt in the item's text, without whitespace around it.
    public let answer: String

    public init(id: String, item: String, prompt: String, answer: String) {
        self.id = id
        self.item = item
        self.prompt = prompt
        self.answer = answer
    }
}

/// The prompt of a query.
public struct Prompt: Sendable, Equatable {
    /// The query's id.
    public let id: String
    /// What the model is to continue.
    public let text: String

    public init(id: String, text: String) {
        self.id = id
        self.text = text
    }
}

extension TaskDefinition {
    /// The prompts of a user's history, oldest first.
    ///
    /// Each item makes one. With retrieval every item but the first makes a second one, which shows the user's profile
    /// text and the earlier item that BM25 finds nearest.
    ///
    /// - Parameters:
    ///   - recent: how many of the latest items; 0 for all.
    ///   - retrieval: whether there are second prompts; nil for the task's default.
    ///   - fraction: the share of the prompts that is kept, in 0...1, chosen by `seed`; at least one is.
    public func examples(
        _ user: User, recent: Int = 50, retrieval: Bool? = nil, fraction: Double = 1, seed: UInt64 = 0
    ) throws(TaskError) -> [Example] {
        guard !user.history.isEmpty else {
            throw TaskError(
                .emptyHistory, place(user), found: "a history without items", remedy: "give at least one item")
        }
        guard recent >= 0, fraction > 0, fraction <= 1 else {
            throw TaskError(
                .contradiction, place(user), found: "recent \(recent), fraction \(fraction)",
                remedy: "take recent from 0 on and a fraction above 0 and up to 1")
        }
        let items = recent == 0 ? user.history[...] : user.history.suffix(recent)
        var finder = (retrieval ?? retrievesByDefault) ? try Finder(self, user) : nil
        var examples: [Example] = []
        for item in items {
            let cut = item.cut(history.words)
            let prompt = try fill(history.prompt, cut, of: user)
            let answer = try fill(history.answer, cut, of: user).stripped()
            let id = "u\(user.id)-\(item.id)"
            examples.append(Example(id: id, item: item.id, prompt: prompt, answer: answer))
            if let preface = try finder?.preface(of: cut) {
                examples.append(Example(id: "\(id)-k1-p", item: item.id, prompt: preface + prompt, answer: answer))
            }
            try finder?.add(item)
        }
        examples = try judged(examples, of: user)
        guard fraction < 1 else { return examples }
        var random = RandomStream(seed: seed)
        return random.choose(max(1, Int(Double(examples.count) * fraction)), of: examples.count).map { examples[$0] }
    }

    /// The prompts of a user's queries, in their order.
    public func prompts(_ user: User) throws(TaskError) -> [Prompt] {
        var prompts: [Prompt] = []
        for query in user.queries {
            var parts: [Substring] = []
            for part in self.query.parts {
                guard let text = part.text(of: query.input) else {
                    throw TaskError(
                        .missingMarker, "\(place(user)): query \(printable(query.id)): field input",
                        found: "no \(part.description)", remedy: "write the input as task \(name) has it")
                }
                parts.append(text)
            }
            prompts.append(Prompt(id: query.id, text: self.query.prompt.filled(parts)))
        }
        return prompts
    }

    /// The texts whose embeddings' mean is the user's embedding: every history item, as retrieval shows it.
    public func embeddingTexts(_ user: User) throws(TaskError) -> [String] {
        var texts: [String] = []
        for item in user.history { texts.append(try document(item, of: user)) }
        return texts
    }

    /// The answer in a completion, which is the text of the new tokens only.
    public func answer(_ completion: String) -> String {
        let answer = completion.stripped()
        switch extent {
        case .whole: return answer
        case .firstLine:
            let line = answer.unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }
            return String(line).stripped()
        }
    }

    // MARK: - Pieces

    /// The examples whose answers the metrics can judge: to accuracy an answer that is no label is like any other that is none,
    /// so a model would be rewarded for nonsense.
    private func judged(_ examples: [Example], of user: User) throws(TaskError) -> [Example] {
        let needs = metrics.map { type(of: $0).labelNeed }
        guard needs.contains(where: { $0 != .none }) else { return examples }
        let areNumbers = needs.contains(.numbers)
        let sound = examples.filter { example in
            areNumbers ? Scale.measure(example.answer) != nil : labels.number(of: example.answer) >= 0
        }
        guard sound.isEmpty else { return sound }
        let some = kind.labels.prefix(5).map { "\"\(printable($0))\"" }.joined(separator: ", ")
        throw TaskError(
            .unknownLabel, place(user), found: "no answer in the history is a label of task \(name)",
            remedy: "write them as the task does, capitals included; it has \(kind.labels.count), such as \(some)")
    }

    /// An item as retrieval searches and shows it; as its prompt and answer where the task has no retrieval.
    func document(_ item: HistoryItem, of user: User) throws(TaskError) -> String {
        guard let retrieval else {
            let cut = item.cut(history.words)
            return try fill(history.prompt, cut, of: user) + fill(history.answer, cut, of: user)
        }
        return try fill(retrieval.document, item.cut(retrieval.words), of: user)
    }

    func fill(_ template: Template, _ item: HistoryItem, of user: User) throws(TaskError) -> String {
        do {
            return try template.filled(item.field)
        } catch {
            throw TaskError(
                .missingField, "\(place(user)): item \(printable(item.id)): field \(error.name)", found: "nothing",
                remedy: "task \(name) needs the field \(error.name) in every item")
        }
    }

    func place(_ user: User) -> String { "user \(printable(user.id))" }
}

/// Finds, among a user's earlier items, the nearest to the next.
private struct Finder {
    let task: TaskDefinition
    let retrieval: TaskDefinition.Retrieval
    let user: User
    let profile: String
    var vocabulary = Vocabulary()
    var documents: [String] = []
    var index = BM25()

    init(_ task: TaskDefinition, _ user: User) throws(TaskError) {
        guard let retrieval = task.retrieval else {
            throw TaskError(
                .contradiction, "task \(task.name)", found: "no retrieval section",
                remedy: "add one to the task, or ask for prompts without retrieval")
        }
        guard let profile = user.profile else {
            throw TaskError(
                .missingProfile, task.place(user), found: "no profile text",
                remedy: "give one (profile-id2text.json), or ask for prompts without retrieval")
        }
        self.task = task
        self.retrieval = retrieval
        self.user = user
        self.profile = profile
    }

    mutating func add(_ item: HistoryItem) throws(TaskError) {
        let document = try task.document(item, of: user)
        documents.append(document)
        index.add(vocabulary.words(of: document))
    }

    /// What stands before the prompt of `item`; nil while there is no earlier item.
    mutating func preface(of item: HistoryItem) throws(TaskError) -> String? {
        let query = vocabulary.words(of: try task.fill(retrieval.query, item, of: user))
        guard let best = index.best(1, for: query).first else { return nil }
        return "### User Profile:\n\(profile)\n\n### User History:\n\(documents[best])\n\n"
    }
}

extension HistoryItem {
    /// The item with every field cut to `count` whitespace-separated words, joined by single spaces.
    fileprivate func cut(_ count: Int) -> HistoryItem {
        HistoryItem(id: id, fields: fields.mapValues { $0.firstWords(count) })
    }
}

extension TaskDefinition.Part {
    fileprivate func text(of input: String) -> Substring? {
        switch self {
        case .whole: input[...]
        case .after(let marker): input.after(marker)
        case .between(let opening, let closing): input.between(opening, closing)
        }
    }

    fileprivate var description: String {
        switch self {
        case .whole: "text"
        case .after(let marker): "\"\(printable(marker))\""
        case .between(let opening, let closing): "\"\(printable(opening))\" followed by \"\(printable(closing))\""
        }
    }
}
