import Foundation
import Testing

/// docs/FORMATS.md: its examples are what the program reads and writes, its tables are what the source knows.
@Suite("The formats' reference")
struct FormatsTests {
    let page: Page

    init() throws { page = try Page(Scene.root.appending(path: "docs/FORMATS.md")) }

    // MARK: - Examples

    @Test func everyExampleIsRead() throws {
        let scene = try Scene()
        let job = try dropExamples(into: scene)
        for manifest in ["", "/users.manifest.json"] { try expectSound(job + manifest, scene) }
        // A file of users may as well be a list, or one user.
        let lines = try page.example("users.jsonl").split(separator: "\n")
        for users in ["[\(lines.joined(separator: ","))]", String(lines[0])] {
            try scene.write(users, to: "nightly/users.jsonl")
            try expectSound("\(job)/users.manifest.json", scene)
        }
        let citing = """
            { "job": "personalize", "base": "debian-llama-4m", "task": "citing.json5",
              "sharers": [{ "adapter": "sections/user_210" }],
              "targets": [{ "user": "ann", "history": [{ "id": 1, "title": "a", "citation": "b" }],
                            "queries": [{ "id": 1, "input": "titled \\"a\\" [1]: \\"b\\" [2]: \\"c\\"" }] }] }
            """
        try expectSound(try scene.write(citing, to: "nightly/citing.manifest.json"), scene)
    }

    /// A job of the examples, one of whose users is mistaken.
    @Test func aRunLeavesWhatTheExamplesHave() throws {
        let scene = try Scene()
        let job = try dropExamples(into: scene)
        let item = #""id": 1, "description": "a parser"#
        let manifest = try page.example("manifest.json")
        #expect(manifest.contains(item))
        let broken = manifest.replacing(item, with: #""description": "a parser"#)
        try scene.write(broken.replacing(#""budget": 30"#, with: #""budget": 4"#), to: "nightly/manifest.json")
        let ending = try scene.onSite("run", job)
        #expect(ending.status == 70, "\(ending.errors)")

        let outbox = "outbox/nightly-2026-11-20"
        #expect(try scene.names(in: outbox) == ["4711", "log.jsonl", "result.json"])
        let files = ["adapter", "predictions.jsonl", "privacy.json", "report.html"]
        #expect(try scene.names(in: "\(outbox)/4711") == files)
        #expect(
            try scene.names(in: "\(outbox)/4711/adapter")
                == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
        let result = try Value(scene.text("\(outbox)/result.json"))
        #expect(result.leaves(stops: page.leaves(6, 0)) == page.leaves(6, 0))
        let documented = try Value(page.example("result.json"))
        for key in ["schema", "id", "status", "pool", "error"] { #expect(result[key] == documented[key]) }
        let privacy = try Value(scene.text("\(outbox)/4711/privacy.json"))
        #expect(privacy.leaves(stops: page.leaves(6, 3)) == page.leaves(6, 3))
        let example = try Value(page.example("privacy.json"))
        for (part, count) in [("held_out", "items"), ("search", "history_items")] {
            #expect(privacy[part]?[count] != nil && privacy[part]?[count] == example[part]?[count])
        }
        let predictions = try scene.text("\(outbox)/4711/predictions.jsonl").split(separator: "\n")
        let examples = try page.example("predictions.jsonl").split(separator: "\n")
        #expect(predictions.count == examples.count)
        for (prediction, example) in zip(predictions, examples) {
            let (prediction, example) = (try Value(String(prediction)), try Value(String(example)))
            #expect(prediction.leaves() == example.leaves() && prediction["id"] == example["id"])
        }
    }

    private func expectSound(_ manifest: String, _ scene: Scene) throws {
        let ending = try scene.onSite("check", manifest)
        #expect(ending.status == 0 && ending.out.isEmpty, "\(manifest): \(ending.out)\(ending.errors)")
    }

    /// The folder of the examples, with the weights and the embeddings that they name.
    private func dropExamples(into scene: Scene) throws -> String {
        func copy(_ name: String, to place: String) throws {
            try FileManager.default.createDirectory(
                atPath: scene.path(place), withIntermediateDirectories: true)
            for file in try FileManager.default.contentsOfDirectory(atPath: "\(Scene.examples.path)/\(name)") {
                try FileManager.default.copyItem(
                    atPath: "\(Scene.examples.path)/\(name)/\(file)", toPath: scene.path("\(place)/\(file)"))
            }
        }
        try copy("models/debian-llama-4m", to: "nightly/debian-llama-4m")
        let members = ["207", "210", "226", "236"]
        for member in members {
            try copy("pools/package_section/user_\(member)", to: "nightly/sections/user_\(member)")
        }
        let sharers = members.indices.map { row in members.indices.map { $0 == row ? Float(1) : 0 } }
        try safetensors(["sharers": sharers])
            .write(to: scene.folder.appending(path: "nightly/sections/embeddings.safetensors"))
        try safetensors(["78": [[1, 0]], "bob": [[0, 1]]])
            .write(to: scene.folder.appending(path: "nightly/users.safetensors"))
        for (name, text) in page.examples {
            try scene.write(text, to: name == "config.json" ? "nightly/debian-llama-4m/\(name)" : "nightly/\(name)")
        }
        return scene.path("nightly")
    }

    /// A safetensors file of matrices; one with a single row is a vector.
    private func safetensors(_ tensors: [String: [[Float]]]) -> Data {
        var header: [String] = []
        var numbers = Data()
        for (name, rows) in tensors {
            let begin = numbers.count
            for number in rows.joined() { withUnsafeBytes(of: number) { numbers.append(contentsOf: $0) } }
            let shape = rows.count == 1 ? [rows[0].count] : [rows.count, rows[0].count]
            header.append(#""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(begin),\#(numbers.count)]}"#)
        }
        let text = Data("{\(header.joined(separator: ","))}".utf8)
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) } + text + numbers
    }

    // MARK: - Tables

    static let tables: [(section: Int, table: Int, examples: [String])] = [
        (1, 0, ["manifest.json", "users.manifest.json"]), (2, 0, ["4711.queries.jsonl", "users.jsonl"]),
        (3, 0, ["sections/pool.json"]), (4, 0, ["sections.json5", "citing.json5"]), (6, 0, ["result.json"]),
        (6, 3, ["privacy.json"]),
    ]

    /// With `everyExampleIsRead` this says that every documented field is known.
    @Test(arguments: tables)
    func tablesHaveTheFieldsOfTheExamples(_ section: Int, _ table: Int, _ names: [String]) throws {
        let documented = page.leaves(section, table)
        var found: Set<String> = []
        for name in names {
            let text = try page.example(name)
            for part in name.hasSuffix(".jsonl") ? text.split(separator: "\n").map(String.init) : [text] {
                found.formUnion(try Value(part).leaves(stops: documented))
            }
        }
        #expect(found == documented)
    }

    static let readers: [(section: Int, file: String)] = [
        (1, "Intake/Manifest/JobManifest+Read.swift"), (2, "Personalize/Tasks/UserFiles.swift"),
        (3, "Intake/Manifest/PoolManifest.swift"), (4, "Personalize/Tasks/DefinitionFile.swift"),
    ]

    /// No reader gives its list of keys away, so they are read out of the source.
    @Test(arguments: readers)
    func readersKnowNoOtherField(_ section: Int, _ file: String) throws {
        var known: Set<String> = []
        for list in try source(file).matches(of: #/(?:known:|keys =|allow\(|among:)\s*\[([^\]]*)\]/#) {
            known.formUnion(list.1.matches(of: #/"(\w+)"/#).map { String($0.1) })
        }
        #expect(known.count > 5)
        let documented = page.keys(section, 0).flatMap { $0.replacing("[]", with: "").split(separator: ".") }
        #expect(known == Set(documented.map(String.init)))
    }

    @Test func builtInTasksAreAsTheyAreWritten() throws {
        let folder = "Personalize/Tasks/LaMP"
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.sources.appending(path: folder).path)
        let rows = page.tables(4)[1].rows
        #expect(rows.count == files.count)
        let texts = try files.map { try source("\(folder)/\($0)").replacing("\\\"", with: "\"") }
        for row in rows {
            let name = "name: \"\(row[0].filter { $0 != "`" })\", lampID: \"\(row[1].filter { $0 != "`" })\""
            let text = try #require(texts.first { $0.contains(name) }, "\(name)")
            for field in row[2].matches(of: #/`([^`]+)`/#) { #expect(text.contains("{\(field.1)}"), "\(field.1)") }
            for part in row[3].matches(of: #/`([^`]+)`/#) { #expect(text.contains("\"\(part.1)\""), "\(part.1)") }
            #expect(text.contains("isDefault: \(row[4] == "yes")"), "\(name)")
        }
    }

    @Test func everyKeyOfAnAdapterIsNamed() throws {
        let text = try source("Engine/Checkpoints/AdapterConfig.swift")
        let lists = text.matches(of: #/static let (?:harmless|read): Set<String> = \[([^\]]*)\]/#)
        #expect(lists.count == 2)
        for key in lists.flatMap({ $0.1.matches(of: #/"(\w+)"/#) }) {
            #expect(page.sections[5].contains("`\(key.1)`"), "\(key.1)")
        }
    }

    /// The reader says itself what belongs where something else stands.
    @Test func typesAndRangesAreTheReadersOwn() throws {
        let scene = try Scene()
        let rows = page.tables(1)[0].rows.filter { $0[1].contains(#/^a (whole )?number|^true or|^`/#) }
        #expect(rows.count > 15)
        var sections: [String: [String]] = [:]
        for row in rows {
            let path = row[0].filter { $0 != "`" }.split(separator: ".").map(String.init)
            sections[path.count > 1 ? path[0] : "", default: []].append("\"\(path.last!)\": \"?\"")
        }
        let members = sections.map { name, fields in
            name.isEmpty ? fields.joined(separator: ", ") : "\"\(name)\": { \(fields.joined(separator: ", ")) }"
        }
        let wrong = try scene.write("{ \(members.joined(separator: ", ")) }", to: "wrong.json")
        let said = try scene.onSite("check", wrong).lines
        for row in rows {
            let field = row[0].filter { $0 != "`" }
            let line = try #require(said.first { $0.hasPrefix("\(wrong): \(field): ") }, "\(field)")
            let wanted = row[1].hasPrefix("`") ? "Known: \(row[1].filter { $0 != "`" })" : "write \(row[1])"
            #expect(line.hasSuffix(wanted), "\(line)")
        }
    }

    @Test func defaultsAreTheManifests() throws {
        let defaults = try source("Intake/Manifest/JobManifest.swift")
            .matches(of: #/public var (\w+)(?:: UInt64)? = ([0-9.]+)/#)
        #expect(defaults.count == 8)
        for (_, name, value) in defaults.map(\.output) {
            let row = page.tables(1)[0].rows.first { row in
                let words = row[0].filter { $0 != "`" && $0 != "_" }.split(separator: ".")
                return words.last.map { $0 == name.lowercased() } ?? false
            }
            #expect(Double(try #require(row, "\(name)")[2]) == Double(value), "\(name)")
        }
    }

    // MARK: - Words of results

    @Test func everyCodeIsNamed() throws {
        var known: Set<String> = []
        for file in [
            "Intake/Manifest/Mistake", "Engine/Checkpoints/CheckpointError", "Engine/Tokenizers/TokenizerError",
            "Personalize/Tasks/TaskError", "Engine/Llama/LlamaError", "Personalize/Methods/MethodError",
        ] { known.formUnion(try cases(of: "Code", in: "\(file).swift")[0]) }
        for folder in ["Schedule/Worker", "Intake/Spool"] {
            for file in try FileManager.default.contentsOfDirectory(atPath: Self.sources.appending(path: folder).path) {
                let text = try source("\(folder)/\(file)")
                known.formUnion(text.matches(of: #/(?:code: |[( ]Offence\(\s*)"([a-z0-9-]+)"/#).map { String($0.1) })
            }
        }
        // Who was asked to stop has no result.
        known.remove("interrupted")
        #expect(page.keys(6, 2) == known)
    }

    @Test func everyStatusIsNamed() throws {
        let jobs = try cases(of: "JobStatus", in: "Intake/Spool/ResultSummary.swift")
        let targets = try cases(of: "Status", in: "Schedule/Worker/ResultFile.swift")
        try #require(jobs.count == 1 && targets.count == 1)
        let rows = page.tables(6)[1].rows
        func named(_ column: Int) -> Set<String> {
            Set(rows.filter { !$0[column].isEmpty }.map { $0[0].filter { $0 != "`" } })
        }
        #expect(named(1) == jobs[0])
        #expect(named(2) == targets[0])
    }

    @Test func everyMetricIsNamed() throws {
        let families = try source("Schedule/Worker/ServiceMetrics.swift").matches(of: #/family\(\s*"(\w+)"/#)
        let named = page.keys(7, 0).map { String($0.prefix { $0 != "{" }) }
        #expect(Set(named) == Set(families.map { "primed_\($0.1)" }))
    }

    // MARK: - The source

    static let sources = Scene.root.appending(path: "Sources")

    private func source(_ file: String) throws -> String {
        try String(contentsOf: Self.sources.appending(path: file), encoding: .utf8)
    }

    /// The cases without values of each enumeration of that name, as results spell them.
    private func cases(of name: String, in file: String) throws -> [Set<String>] {
        let text = try source(file)
        return text.matches(of: try Regex("enum \(name)\\b.*?\\n    \\}").dotMatchesNewlines()).map { body in
            let lists = text[body.range].matches(of: #/case ([a-z][^\n]*)/#)
            let names = lists.flatMap { $0.1.split(separator: ", ") }.filter { !$0.contains("(") }
            return Set(names.map { $0.firstMatch(of: #/"(.*)"/#).map { String($0.1) } ?? spelled($0) })
        }
    }

    /// `emptyHistory` as `empty-history`.
    private func spelled(_ name: Substring) -> String {
        name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
    }
}

/// A page of Markdown: its examples by name, and its tables by section.
struct Page {
    struct Table {
        var rows: [[String]] = []
    }

    let examples: [String: String]
    /// By number, as its heading has it; what stands before the first is number 0.
    let sections: [String]

    /// An example is a block whose introduction ends in its name.
    init(_ file: URL) throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        let blocks = text.matches(of: #/`([^`\n]+)`:\n\n```json5?\n(.*?)```/#.dotMatchesNewlines())
        examples = Dictionary(blocks.map { (String($0.1), String($0.2)) }) { first, _ in first }
        #expect(examples.count == text.matches(of: #/\n```json/#).count)
        sections = text.components(separatedBy: "\n## ")
        for (number, section) in sections.enumerated().dropFirst() { #expect(section.hasPrefix("\(number). ")) }
    }

    func example(_ name: String) throws -> String { try #require(examples[name], "\(name)") }

    func tables(_ section: Int) -> [Table] {
        var tables: [Table] = []
        var isInside = false
        for line in sections[section].split(separator: "\n", omittingEmptySubsequences: false) {
            defer { isInside = line.hasPrefix("|") }
            guard line.hasPrefix("|") else { continue }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
            if !isInside { tables.append(Table()) }
            tables[tables.count - 1].rows.append(cells.map { $0.trimmingCharacters(in: .whitespaces) })
        }
        // Heads and lines go.
        return tables.map { Table(rows: Array($0.rows.dropFirst(2))) }
    }

    /// What the first column names; `a.{b,c}` are `a.b` and `a.c`.
    func keys(_ section: Int, _ table: Int) -> Set<String> {
        var keys: Set<String> = []
        for cell in tables(section)[table].rows.map({ $0[0] }) {
            for span in cell.matches(of: #/`([^`]+)`/#) {
                guard let group = span.1.firstMatch(of: #/^(.*\.)\{(.*)\}$/#) else {
                    keys.insert(String(span.1))
                    continue
                }
                keys.formUnion(group.2.split(separator: ",").map { "\(group.1)\($0)" })
            }
        }
        return keys
    }

    /// The keys that have no others below them.
    func leaves(_ section: Int, _ table: Int) -> Set<String> {
        let keys = keys(section, table)
        return keys.filter { key in !keys.contains { $0.hasPrefix("\(key).") || $0.hasPrefix("\(key)[].") } }
    }
}

/// A JSON value, comments and the like allowed.
enum Value: Decodable, Equatable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([Value])
    case object([String: Value])

    init(_ text: String) throws {
        let decoder = JSONDecoder()
        decoder.allowsJSON5 = true
        self = try decoder.decode(Value.self, from: Data(text.utf8))
    }

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([Value].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: Value].self))
        }
    }

    subscript(key: String) -> Value? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// The paths of what is no object and no list of objects, or is among `stops`.
    func leaves(_ path: String = "", stops: Set<String> = []) -> Set<String> {
        if stops.contains(path) { return [path] }
        switch self {
        case .object(let members) where !members.isEmpty:
            return Set(members.flatMap { $1.leaves(path.isEmpty ? $0 : "\(path).\($0)", stops: stops) })
        case .list(let values):
            let inner = values.filter { if case .object = $0 { true } else { false } }
            return inner.isEmpty ? [path] : Set(inner.flatMap { $0.leaves("\(path)[]", stops: stops) })
        default: return [path]
        }
    }
}
