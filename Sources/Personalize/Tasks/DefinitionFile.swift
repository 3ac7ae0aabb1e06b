import JSON

extension TaskDefinition {
    /// A task from a definition file, JSON with comments and trailing commas allowed.
    ///
    /// ```json5
    /// {
    ///   name: "package_section",
    ///   kind: "classification",               // or "ordinal" or "generation"
    ///   labels: ["perl", "python"],           // not for generation; numbers in rising order for ordinal
    ///   metrics: ["accuracy", "f1"],          // or MAE, RMSE, rouge-1, rouge-L
    ///   history_metrics: ["rouge-1"],         // optional: other metrics for the history
    ///   history: { prompt: "Description: {description} Tag:", full: "Description: {description} Tag: {tag}" },
    ///   retrieval: { document: "{description} {tag}\n", query: "{description}", prompts: false },  // optional
    ///   query: { prompt: "Description: {} Tag:", marker: "] description: " },
    ///   answer: "whole"                       // or "first-line"
    /// }
    /// ```
    ///
    /// `{name}` takes an item's field, `{}` the query's parts in order, `{{` and `}}` are braces. A query's part is the
    /// whole input, what follows `marker`, or what stands between the texts of `parts: [{open, close}, ...]`. Fields
    /// are cut to `words` of the history section (768) and of the retrieval section (368).
    ///
    /// - Parameters:
    ///   - definition: the file's bytes.
    ///   - file: its name, for errors.
    public init(definition: [UInt8], file: String) throws(TaskError) {
        guard definition.count <= 1 << 20 else {
            throw TaskError(
                .tooLarge, file, found: "\(definition.count) bytes", remedy: "a definition has at most 1 MiB")
        }
        let value = try reading { () throws(JSONError) in
            var reader = try JSONReader(definition, file: file, json5: true)
            return try reader.document()
        }
        guard case .object(let object) = value else { throw wrongType(value, "an object", file) }
        let whole = Section(object, place: file)
        try whole.allow([
            "name", "kind", "labels", "metrics", "history_metrics", "history", "retrieval", "query", "answer",
        ])
        let name = try whole.text("name")
        if let fault = Self.fault(ofName: name) {
            throw TaskError(
                .badID, whole.place("name"), found: fault, remedy: "take at most 100 letters, digits, - and _")
        }
        let kind = try Self.kind(whole)
        var metrics = try Self.metrics(whole, "metrics", kind)
        if object["history_metrics"] != nil { metrics = try Self.metrics(whole, "history_metrics", kind) }
        self.init(
            name: name, kind: kind, metrics: metrics, history: try Self.history(try whole.section("history")),
            retrieval: object["retrieval"] == nil ? nil : try Self.retrieval(try whole.section("retrieval")),
            query: try Self.query(try whole.section("query")), extent: try Self.extent(whole))
    }

    /// Why a task may not be called so; nil where it may.
    private static func fault(ofName name: String) -> String? {
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
        if name.isEmpty { return "an empty name" }
        if name.utf8.count > 100 { return "a name of \(name.utf8.count) bytes" }
        if !isPlain { return "\"\(printable(name))\", with a blank, a slash or what is not ASCII" }
        return builtIn(name) == nil ? nil : "\"\(name)\", which is a built-in task"
    }

    private static func kind(_ whole: Section) throws(TaskError) -> Kind {
        let names = ["classification", "ordinal", "generation"]
        let kind = try whole.choice("kind", among: names)
        if kind == "generation" {
            guard whole.object["labels"] == nil else {
                throw TaskError(
                    .contradiction, whole.place("labels"), found: "labels of a generation task",
                    remedy: "leave them out")
            }
            return .generation
        }
        let labels = try whole.texts("labels").map { $0.stripped() }
        guard labels.count >= 2, labels.count <= 10_000, !labels.contains("") else {
            throw TaskError(
                .contradiction, whole.place("labels"), found: "\(labels.count) labels, or an empty one",
                remedy: "give 2 to 10000, none empty")
        }
        guard Set(labels.map { Array($0.utf8) }).count == labels.count else {
            throw TaskError(.duplicate, whole.place("labels"), found: "a label twice", remedy: "keep one of them")
        }
        guard kind == "ordinal" else { return .classification(labels: labels) }
        let numbers = labels.compactMap(Scale.measure)
        guard numbers.count == labels.count, zip(numbers, numbers.dropFirst()).allSatisfy(<) else {
            throw TaskError(
                .contradiction, whole.place("labels"), found: "labels that are no rising numbers",
                remedy: "write numbers in rising order, or take the kind classification")
        }
        return .ordinal(labels: labels)
    }

    private static func metrics(_ whole: Section, _ key: String, _ kind: Kind) throws(TaskError) -> [any Metric.Type] {
        let names = try whole.texts(key)
        guard !names.isEmpty, Set(names).count == names.count else {
            throw TaskError(
                .contradiction, whole.place(key), found: "no metric, or one twice", remedy: "name each metric once")
        }
        var metrics: [any Metric.Type] = []
        for name in names {
            guard let metric = metricTypes.first(where: { $0.name == name }) else {
                throw TaskError(
                    .unknownMetric, whole.place(key), found: "the metric \(printable(name))",
                    remedy: didYouMean(name, metricTypes.map { $0.name }))
            }
            let fits =
                switch (metric.labelNeed, kind) {
                case (.none, _), (.any, .classification), (.any, .ordinal), (.numbers, .ordinal): true
                default: false
                }
            guard fits else {
                throw TaskError(
                    .contradiction, whole.place(key), found: "the metric \(name), which needs other labels",
                    remedy: "take a kind with labels for accuracy and f1, ordinal for MAE and RMSE")
            }
            metrics.append(metric)
        }
        return metrics
    }

    private static func history(_ section: Section) throws(TaskError) -> HistoryForm {
        try section.allow(["prompt", "full", "words"])
        let prompt = try section.template("prompt", openings: 0)
        let full = try section.template("full", openings: 0)
        guard let answer = full.dropping(prompt), !answer.fields.isEmpty else {
            throw TaskError(
                .badTemplate, section.place("full"), found: "a text that is not the prompt and an answer's field",
                remedy: "begin it with the whole of prompt and go on with the answer's field")
        }
        return HistoryForm(prompt: prompt, answer: answer, words: try section.words("words") ?? 768)
    }

    private static func retrieval(_ section: Section) throws(TaskError) -> Retrieval {
        try section.allow(["document", "query", "words", "prompts"])
        return Retrieval(
            document: try section.template("document", openings: 0),
            query: try section.template("query", openings: 0), words: try section.words("words") ?? 368,
            isDefault: try section.flag("prompts") ?? false)
    }

    private static func query(_ section: Section) throws(TaskError) -> QueryForm {
        try section.allow(["prompt", "marker", "parts"])
        var parts: [Part] = []
        switch (section.object["marker"], section.object["parts"]) {
        case (nil, nil): parts = [.whole]
        case (_?, nil): parts = [.after(try section.filledText("marker"))]
        case (nil, .list(let list)?):
            guard !list.isEmpty else {
                throw TaskError(
                    .missingField, section.place("parts"), found: "an empty list",
                    remedy: "write {open, close} for each part, or leave parts out")
            }
            for (number, value) in list.enumerated() {
                let place = section.place("parts: \(number + 1)")
                guard case .object(let object) = value else { throw wrongType(value, "an object", place) }
                let part = Section(object, place: place)
                try part.allow(["open", "close"])
                parts.append(.between(try part.filledText("open"), try part.filledText("close")))
            }
        case (nil, let value?): throw wrongType(value, "a list", section.place("parts"))
        case (_?, _?):
            throw TaskError(
                .contradiction, section.place("parts"), found: "marker and parts", remedy: "keep one of them")
        }
        return QueryForm(prompt: try section.template("prompt", openings: parts.count), parts: parts)
    }

    private static func extent(_ whole: Section) throws(TaskError) -> Extent {
        guard whole.object["answer"] != nil else { return .whole }
        let name = try whole.choice("answer", among: Extent.allCases.map(\.rawValue))
        return Extent(rawValue: name) ?? .whole
    }
}

/// An object of a definition file and where it stands.
private struct Section {
    let object: JSONObject
    let place: String

    init(_ object: JSONObject, place: String) {
        self.object = object
        self.place = place
    }

    func place(_ key: String) -> String { "\(place): \(key)" }

    func allow(_ keys: [String]) throws(TaskError) { try requireKeys(object, among: keys, place: place) }

    func section(_ key: String) throws(TaskError) -> Section {
        guard let value = object[key] else { throw missing(key, place) }
        guard case .object(let object) = value else { throw wrongType(value, "an object", place(key)) }
        return Section(object, place: place(key))
    }

    func text(_ key: String) throws(TaskError) -> String {
        guard let value = object[key] else { throw missing(key, place) }
        guard case .string(let text) = value else { throw wrongType(value, "a text", place(key)) }
        return text
    }

    func filledText(_ key: String) throws(TaskError) -> String {
        let text = try text(key)
        guard !text.isEmpty else {
            throw TaskError(
                .missingField, place(key), found: "an empty text", remedy: "write what stands in the inputs")
        }
        return text
    }

    /// Texts, or numbers as they are written.
    func texts(_ key: String) throws(TaskError) -> [String] {
        guard let value = object[key] else { throw missing(key, place) }
        guard case .list(let list) = value else { throw wrongType(value, "a list", place(key)) }
        var texts: [String] = []
        for value in list {
            guard let text = value.text else { throw wrongType(value, "texts", place(key)) }
            texts.append(text)
        }
        return texts
    }

    func choice(_ key: String, among names: [String]) throws(TaskError) -> String {
        let name = try text(key)
        guard names.contains(name) else {
            throw TaskError(
                .contradiction, place(key), found: printable(name), remedy: didYouMean(name, names))
        }
        return name
    }

    func words(_ key: String) throws(TaskError) -> Int? {
        guard let value = object[key] else { return nil }
        guard case .number(let text) = value, let count = Int(text), (1...100_000).contains(count) else {
            throw wrongType(value, "a whole number from 1 to 100000", place(key))
        }
        return count
    }

    func flag(_ key: String) throws(TaskError) -> Bool? {
        guard let value = object[key] else { return nil }
        guard case .bool(let flag) = value else { throw wrongType(value, "true or false", place(key)) }
        return flag
    }

    /// A template with exactly `openings` places `{}`, and with names only where there are none of those.
    func template(_ key: String, openings: Int) throws(TaskError) -> Template {
        let template = try Template(try text(key), place: place(key))
        guard template.openings == openings, openings == 0 || template.fields.isEmpty else {
            throw TaskError(
                .badTemplate, place(key), found: "\(template.openings) {} and \(template.fields.count) {name}",
                remedy: openings == 0
                    ? "name an item's field in each: {title}" : "write {} \(openings) times, no {name}")
        }
        return template
    }
}

private func didYouMean(_ name: String, _ known: [String]) -> String {
    nearest(to: name, in: known).map { "did you mean \($0)? Known are \(known.joined(separator: ", "))" } ?? ""
}
