import Glibc
import Posix
import Testing

@testable import Telemetry

@Suite struct LogTests {
    private let event = Event(
        "tried", .warning,
        [
            "job": .id("nightly-1"), "best": .score(0.123456), "seconds": .duration(1.005),
            "weights": .scores([0.5, -1]), "sharers": .identifiers([Identifier("7"), Identifier("9")]),
            "count": .count(3),
            "file": .path("/spool/in box/a.json"), "how": .id("quickly"), "bad": .score(.nan),
        ])

    @Test func aJSONLineHoldsEveryField() {
        #expect(
            event.line(.json, at: 0)
                == #"{"time":"1970-01-01T00:00:00.000Z","level":"warning","event":"tried","job":"nightly-1","#
                + #""best":0.123456,"seconds":1.005,"weights":[0.5,-1.0],"sharers":["7","9"],"count":3,"#
                + #""file":"/spool/\#(Identifier("in box"))/a.json","how":"quickly","bad":null}"# + "\n")
    }

    @Test func peopleGetShorterLines() {
        let event = Event("tried", .notice, ["job": .id("x"), "best": .score(0.123456)])
        #expect(event.line(.plain, at: 3_723_000_000_000) == "01:02:03 tried job=x best=0.1235\n")
        #expect(event.line(.prioritized, at: 0) == "<5>tried job=x best=0.1235\n")
    }

    @Test(arguments: ["", "two words", "line\nfeed", "quo\"te", "naïve", "a/b", String(repeating: "a", count: 129)])
    func whatIsNoIdentifierIsHashed(text: String) {
        let identifier = Identifier(text).description
        #expect(identifier.hasPrefix("#") && identifier.utf8.count == 17)
        #expect(identifier == Identifier(text).description)
    }

    @Test(arguments: ["4711", "a.b_c-d", "user@host", "x:y+z=1", String(repeating: "a", count: 128)])
    func identifiersStayAsTheyAre(text: String) {
        #expect(Identifier(text).description == text)
    }

    @Test func eventsBelowTheThresholdAreNotWritten() throws {
        let pipe = try Pipe()
        let log = Log.descriptor(pipe.writing.number, style: .prioritized, threshold: .warning)
        log(Event("first", .info))
        log(Event("second", .error))
        #expect(try pipe.reading.read() == Array("<3>second\n".utf8))
    }

    @Test func aFileGrowsByOneLineAnEvent() throws {
        let path = "/tmp/primed-log-\(UInt64.random(in: .min ... .max))"
        defer { unlink(path) }
        let log = Log.file(path)
        log(.targetFailed(user: "7", code: "history-empty"))
        log(.evaluated(user: "7", evaluation: 1, of: 30, utility: 1, similarity: 0.5, fitness: 0.95))
        let lines = String(decoding: try Files.read(path, limit: 1000), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].hasSuffix(#""level":"warning","event":"target-failed","user":"7","code":"history-empty"}"#))
    }

    @Test func aSystemErrorNamesCallAndPath() {
        let event = Event.trouble(PosixError(call: "rename", path: "/spool/work/x", errno: ENOSPC))
        #expect(event.line(.plain, at: 0) == "00:00:00 trouble call=rename errno=\(ENOSPC) path=/spool/work/x\n")
    }
}
