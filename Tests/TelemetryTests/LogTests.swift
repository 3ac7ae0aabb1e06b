import Glibc
import Posix
import Testing

@testable import Telemetry

@Suite struct LogTests {
    private let event = Event(
        .targetFailed,
        [
            "job": .id("nightly-1"), "best": .score(0.123456), "seconds": .duration(1.005),
            "weights": .scores([0.5, -1]), "sharers": .identifiers([Identifier("7"), Identifier("9")]),
            "count": .count(3),
            "file": .path("/spool/in box/a.json"), "how": .id("quickly"), "bad": .score(.nan),
        ])

    @Test func aJSONLineHoldsEveryField() {
        #expect(
            event.line(.json, at: 0)
                == #"{"time":"1970-01-01T00:00:00.000Z","level":"warning","event":"target-failed","job":"nightly-1","#
                + #""best":0.123456,"seconds":1.005,"weights":[0.5,-1.0],"sharers":["7","9"],"count":3,"#
                + #""file":"/spool/\#(Identifier("in box"))/a.json","how":"quickly","bad":null}"# + "\n")
    }

    @Test func peopleGetShorterLines() {
        let event = Event(.jobPublished, ["job": .id("x"), "best": .score(0.123456)])
        #expect(event.line(.plain, at: 3_723_000_000_000) == "01:02:03 job-published job=x best=0.1235\n")
        #expect(event.line(.prioritized, at: 0) == "<5>job-published job=x best=0.1235\n")
    }

    @Test func theJournalGetsAnAssignmentALine() {
        let lines = String(decoding: event.journalEntry, as: UTF8.self).split(separator: "\n")
        #expect(lines[0].hasPrefix("MESSAGE=target-failed job=nightly-1 best=0.1235"))
        #expect(
            lines.dropFirst().prefix(4) == [
                "MESSAGE_ID=\(EventKind.targetFailed.messageID)", "PRIORITY=4", "SYSLOG_IDENTIFIER=primed",
                "PRIMED_EVENT=target-failed",
            ])
        #expect(lines.contains("PRIMED_BEST=0.123456") && lines.contains("PRIMED_SHARERS=7,9"))
        let trouble = Event.trouble(PosixError(call: "rename", path: "/x", errno: ENOSPC)).journalEntry
        #expect(String(decoding: trouble, as: UTF8.self).contains("\nERRNO=\(ENOSPC)\n"))
    }

    @Test func everyKindOfEventHasAnIDAndAnExample() {
        let ids = EventKind.allCases.map(\.messageID)
        #expect(Set(ids).count == ids.count)
        for kind in EventKind.allCases {
            #expect(kind.messageID.count == 32 && kind.messageID.allSatisfy { "0123456789abcdef".contains($0) })
            #expect(kind.example.kind == kind)
            #expect(Set(kind.fields).count == kind.fields.count)
        }
    }

    @Test func aJobsLogGoesToBothAndNamesTheJob() throws {
        let pipe = try Pipe()
        let path = "/tmp/primed-log-\(UInt64.random(in: .min ... .max))"
        defer { unlink(path) }
        let log = Log.file(path).joined(by: .descriptor(pipe.writing.number, style: .prioritized), job: "j")
        log(.targetFailed(user: "7", code: "too-long"))
        log(.evaluated(user: "7", evaluation: 1, of: 30, utility: 1, similarity: 0.5, fitness: 0.95))
        log(.jobFinished("j", status: "done", seconds: 1))
        #expect(
            try pipe.reading.read()
                == Array(
                    "<4>target-failed job=j user=7 code=too-long\n<6>job-finished job=j status=done seconds=1.0s\n".utf8
                ))
        let lines = String(decoding: try Files.read(path, limit: 1000), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 3 && lines.allSatisfy { $0.contains(#""job":"j""#) })
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
        log(.serviceStopped)
        log(.diskFull)
        #expect(try pipe.reading.read() == Array("<4>disk-full\n".utf8))
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
