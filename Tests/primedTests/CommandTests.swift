import Foundation
import Glibc
import Posix
import Testing

@testable import primed

@Suite("The commands")
struct CommandTests {
    static let names = Primed.commands.filter { !$0.isHidden }.map(\.name)

    @Test(arguments: names)
    func helpIsAPage(_ command: String) throws {
        let scene = try Scene()
        let help = try scene.primed(command, "--help")
        #expect(help.status == 0)
        for part in ["NAME", "USAGE", "DESCRIPTION", "OPTIONS", "--help"] { #expect(help.out.contains(part)) }
        // Examples are one line each, to be copied.
        let prose = try #require(help.out.components(separatedBy: "EXAMPLES").first)
        #expect(prose.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let named = try scene.primed("help", command)
        #expect(named.out == help.out)
        // What an option means stands under it, and what a code means beside it, both in columns of their own.
        let lines = prose.components(separatedBy: "\n")
        let options = lines.drop { $0 != "OPTIONS" }.dropFirst().prefix { !$0.isEmpty }
        #expect(
            options.allSatisfy { $0.hasPrefix("    --") || $0.hasPrefix("        ") && $0.dropFirst(8).first != " " })
        let codes = lines.drop { $0 != "EXIT STATUS" }.dropFirst().prefix { !$0.isEmpty }
        #expect(codes.allSatisfy { $0.dropFirst(8).first != " " && Array($0)[7] == " " })
        #expect(codes.contains("    64  the command line is mistaken"))
        let unknown = try scene.primed(command, "--no-such-option")
        #expect(unknown.status == 64)
        #expect(unknown.errors.contains("no-such-option"))
        #expect(unknown.out.isEmpty)
    }

    @Test(arguments: [("predict", "--model DIR"), ("tokenize", "--model DIR"), ("lineage", "--sharer ID")])
    func aRequiredOptionStandsWithoutBrackets(_ command: String, _ option: String) throws {
        let scene = try Scene()
        let help = try scene.primed("help", command)
        #expect(help.out.contains(" \(option)") && !help.out.contains("[\(option)]"))
        let page = try scene.primed("manual", "8").out
        #expect(
            page.contains(" \(option.replacing("-", with: "\\-"))") && !page.contains("[\\-\\-\(option.dropFirst(2))]"))
        let absent = try scene.primed(command)
        #expect(
            absent.status == 64
                && absent.errors == "primed: \(command): no \(option.prefix { $0 != " " }); give \(option)\n")
    }

    @Test func theTableOfEventsIsTheProgramsOwn() throws {
        let scene = try Scene()
        let table = try scene.primed("events").out
        #expect(table.split(separator: "\n").count > 20)
        let documented = try String(contentsOf: Scene.root.appending(path: "docs/EVENTS.md"), encoding: .utf8)
        #expect(documented.hasSuffix("\n\n" + table), "primed events has changed; put its output into docs/EVENTS.md")
    }

    @Test func theManualHasEveryCommandAndEveryKey() throws {
        let scene = try Scene()
        let pages = try ["8", "5"].map { try scene.primed("manual", $0).out }
        for name in Self.names { #expect(pages[0].contains("\n.SS primed \(name)\n")) }
        let settings = try scene.onSite("doctor").out.components(separatedBy: "\n\n")[1].split(separator: "\n")
        #expect(settings.count > 20)
        for setting in settings { #expect(pages[1].contains("\n\\fB\(setting.prefix { $0 != " " })\\fR\n")) }
        // No text is taken for roff's own words.
        let macros = ["TH", "SH", "SS", "PP", "TP", "RS", "RE", "EX", "EE", "nh", "ad"]
        for line in pages.flatMap({ $0.split(separator: "\n") }) where line.hasPrefix(".") || line.hasPrefix("'") {
            #expect(macros.contains { line == ".\($0)" || line.hasPrefix(".\($0) ") }, "\(line)")
        }
        #expect(try scene.primed("manual", "3").status == 64)
    }

    @Test func overviewNamesEveryCommand() throws {
        let scene = try Scene()
        let overview = try scene.primed("--help")
        #expect(overview.status == 0)
        for name in Self.names { #expect(overview.out.contains("\n    \(name) "), "\(name)") }
        for (word, message) in [
            ("sevre", "no command sevre; did you mean serve?"), ("nosuch", "no command nosuch; see primed help"),
            ("--verison", "no option --verison; did you mean --version?"),
        ] {
            let unknown = try scene.primed(word)
            #expect(unknown.status == 64 && unknown.errors == "primed: \(message)\n")
        }
        let version = try scene.primed("--version")
        #expect(version.status == 0 && version.out.hasPrefix("primed "))
        // What is not released yet does not go by a release's number.
        let changes = try String(contentsOf: Scene.root.appending(path: "CHANGELOG.md"), encoding: .utf8)
        #expect(version.out.hasSuffix("-dev\n") == changes.contains("\n## Unreleased\n"))
    }

    @Test func runEndsWithTheCodesOfItsHelp() throws {
        let scene = try Scene()
        #expect(try scene.onSite("run", scene.path("nowhere.json")).status == 66)
        #expect(try scene.onSite("run", try scene.write("{", to: "broken.json")).status == 65)
        #expect(try scene.onSite("run").status == 64)
        #expect(
            try scene.primed("run", "--config", try scene.write("{ inbx: 1 }", to: "bad.json5"), "x").status == 78)
        let manifest = try scene.manifest("job")
        #expect(try scene.onSite("run", "--outbox", "", manifest).status == 64)
        let below = try scene.onSite("run", "--outbox", "\(manifest)/out", manifest)
        #expect(below.status == 73 && below.errors.contains("name an outbox that can be made"), "\(below.errors)")
    }

    /// Nobody is told to join root's group, nor one that may not either.
    @Test func aMissingRightComesWithTheGroupThatHasIt() throws {
        let scene = try Scene()
        let folder = scene.path("inbox")
        let error = PosixError(call: "open", path: folder, errno: EACCES)
        func message() -> String { "\(ofGroup(error, "no", folder: folder))" }
        // Only root can give a folder to a group of others.
        if geteuid() == 0 { try #require(chown(folder, 0, 1) == 0) }
        try #require(chmod(folder, 0o750) == 0)
        var status = stat()
        try #require(stat(folder, &status) == 0)
        let group = try #require(getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) })
        #expect(
            message()
                == "no; the group \(group) may: usermod -aG \(group) USER puts a user into it from the next login on")
        try #require(chmod(folder, 0o700) == 0)
        #expect(message() == "no; run it as root, or as the user whom the daemon runs as")
        if geteuid() == 0 {
            try #require(chown(folder, 0, 0) == 0 && chmod(folder, 0o750) == 0)
            #expect(message() == "no; run it as root, or as the user whom the daemon runs as")
        }
        #expect(ofGroup(PosixError(call: "open", path: folder, errno: EIO), "no", folder: folder) is PosixError)
    }

    /// Whoever reads a log of several programs knows whose line is whose.
    @Test func everyLineOfAConfigurationsMistakesIsPrimeds() throws {
        let scene = try Scene()
        let file = try scene.write("{ inbx: 1, slots: 0 }", to: "bad.json5")
        let lines = try scene.primed("status", "--config", file).errors.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("primed: \(file): ") }, "\(lines)")
        let missing = try scene.primed("status", "--config", "./no/../such.json5")
        #expect(missing.status == 78)
        #expect(
            missing.errors.hasPrefix("primed: ./no/../such.json5: there is no such configuration; name another by "))
    }

    @Test func tokenizeAndBack() throws {
        let scene = try Scene()
        let texts = ["Hello, world", " two  blanks ", "naïve 👍🏽 日本", "<|end_of_text|>", ""]
        let input = try texts.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) + "\n" }.joined()
        let ids = try scene.primed("tokenize", "--model", Scene.model, input: input)
        #expect(ids.status == 0)
        let rows = try ids.lines.map { try JSONDecoder().decode([Int].self, from: Data($0.utf8)) }
        #expect(rows.count == texts.count)
        #expect(rows.allSatisfy { $0.first == 4093 })
        #expect(rows[3].count > 5)
        let back = try scene.primed("tokenize", "--model", Scene.model, "--decode", input: ids.out)
        #expect(try back.lines.map { try JSONDecoder().decode(String.self, from: Data($0.utf8)) } == texts)
        #expect(try scene.primed("tokenize", "--model", scene.path("nowhere"), input: input).status == 66)
        #expect(try scene.primed("tokenize", "--model", Scene.model, input: "7\n").status == 65)
        #expect(try scene.primed("tokenize", input: input).status == 64)
    }

    @Test func predictScoresAnswers() throws {
        struct Line: Decodable {
            var id: String
            var output: String
            var tokens: [Int]
            var logprob: Double?
        }
        let scene = try Scene()
        let input = """
            {"id":"a","prompt":"Description: a clock Tag:","answer":" x11"}
            {"id":"b","prompt":"Description: a clock Tag:"}

            """
        func lines(_ arguments: [String]) throws -> [Line] {
            let ending = try scene.start(["predict", "--model", Scene.model] + arguments, input: input).ending()
            #expect(ending.status == 0, "\(ending.errors)")
            return try ending.lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
        let base = try lines([])
        #expect(base.map(\.id) == ["a", "b"])
        #expect(base[0].tokens == base[1].tokens)
        #expect(try #require(base[0].logprob) < 0)
        #expect(base[1].logprob == nil)
        let pool = Scene.examples.appending(path: "pools/package_section").path
        let pair = ["--adapter", "\(pool)/user_207=0.7", "--adapter", "\(pool)/user_210=-0.3"]
        let delta = try lines(pair + ["--merge", "delta"])
        let factors = try lines(pair + ["--merge", "factors"])
        #expect(delta[0].logprob != base[0].logprob)
        #expect(factors[0].logprob != delta[0].logprob)
        #expect(try lines(["--max-new-tokens", "0"])[0].tokens.isEmpty)
        let sampled = ["--temperature", "1.5", "--seed", "3"]
        #expect(try lines(sampled).map(\.tokens) == lines(sampled).map(\.tokens))
        #expect(
            try scene.primed("predict", "--model", Scene.model, "--merge", "sum", input: input).status == 64)
        #expect(try scene.primed("predict", "--model", Scene.model, input: "{\"id\":\"a\"}\n").status == 65)
    }

    @Test func benchScoresGivenWeights() throws {
        let scene = try Scene()
        let manifest = try scene.manifest("job")
        let ending = try scene.onSite("bench", "--weights", "0,0,0", "--weights", "1,0,0", "--json", manifest)
        #expect(ending.status == 0, "\(ending.errors)")
        struct Scores: Decodable {
            var utility: Double
            var similarities: [Double]
        }
        let scores = try JSONDecoder().decode([Scores].self, from: Data(ending.out.utf8))
        #expect(try scene.onSite("run", manifest).status == 0)
        let target = try #require(try scene.result("job").targets?.first)
        #expect(scores[0].utility == target.utility?.base)
        #expect(scores[1].utility == target.utility?.sharers[try #require(target.sharers?.first)])
        // A folder with the same manifest is the same job.
        try FileManager.default.createDirectory(atPath: scene.path("job"), withIntermediateDirectories: false)
        try FileManager.default.copyItem(atPath: manifest, toPath: scene.path("job/manifest.json"))
        let folder = try scene.onSite("bench", "--weights", "0,0,0", "--weights", "1,0,0", "--json", scene.path("job"))
        #expect(folder.out == ending.out, "\(folder.errors)")
        #expect(try scene.onSite("bench", scene.path("nowhere")).status == 66)
        #expect(try scene.onSite("bench", try scene.write("{", to: "broken.json")).status == 65)
        // A sharer is as like itself as can be, by accuracy and the F1 of the labels that it says.
        #expect(scores[1].similarities[0] == scores[1].similarities.max())
    }

    /// The sharers of the manifest are selected by the base's encoding of the history, for which the bank makes room.
    @Test func benchMeasures() throws {
        let scene = try Scene()
        try scene.write(
            """
            { "name": "package_section", "kind": "classification", "labels": ["x", "y"], "metrics": ["accuracy"],
              "history": { "prompt": "{text} is", "full": "{text} is {tag}" },
              "query": { "prompt": "{} is", "marker": "What is: " } }
            """, to: "short.json")
        let manifest = try scene.write(
            """
            { "job": "personalize", "id": "b", "base": "debian-llama-4m", "task": "short.json",
              "sharers": { "pool": "package_section", "top_k": 2 }, "evolve": { "budget": 7 },
              "generate": { "max_new_tokens": 3 },
              "targets": [ { "user": "u", "history": [ { "id": "1", "text": "A game", "tag": "x" } ],
                             "queries": [ { "id": "q", "input": "What is: that" } ] } ] }
            """, to: "b.json")
        let ending = try scene.onSite("bench", "--rounds", "1", "--populations", "1,3", "--json", manifest)
        #expect(ending.status == 0, "\(ending.errors)")
        struct Report: Decodable {
            struct Population: Decodable { var candidates: Int, seconds: Double, rate: Double }
            struct Work: Decodable { var tokens: Double }
            var seconds: [String: Double]
            var largeRate: Double
            var populations: [Population]
            var prefill: Work
        }
        let report = try JSONDecoder().decode(Report.self, from: Data(ending.out.utf8))
        #expect(report.populations.map(\.candidates) == [1, 3])
        #expect(report.populations.allSatisfy { $0.seconds > 0 && $0.rate > 0 })
        #expect(report.largeRate > 0)
        #expect(report.prefill.tokens > 0)
        let phases = ["prepare", "references", "search", "queries"].compactMap { report.seconds[$0] }
        #expect(phases.count == 4)
        #expect(abs(phases.reduce(0, +) - (report.seconds["total"] ?? 0)) < 1e-6)
        let mistaken = try scene.onSite("bench", "--populations", "1,,x", manifest)
        #expect(mistaken.status == 64 && mistaken.errors.contains("whole numbers of 1 to 1000"))
        let without = try scene.onSite("bench", "--rounds", "1", "--populations", "none", manifest)
        #expect(without.status == 0 && !without.out.contains("candidates"))
    }
}
