import Glibc
import JSON
import Posix

/// primed: one file a subcommand; what they do lives in the modules down the road.
@main
struct Primed {
    static let version = "0.1.0"

    static let commands: [Command] = [
        Serve.command, Run.command, Submit.command, Status.command, Check.command, Predict.command, Tokenize.command,
        Demo.command, Doctor.command, Bench.command, Work.command,
    ]

    static func main() {
        Signals.ignoreBrokenPipes()
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ words: [String]) -> Int32 {
        guard let name = words.first, !["help", "--help", "-h"].contains(name) || words.count > 1 else {
            show(Help.overview(commands))
            return words.isEmpty ? Exit.usage : Exit.ok
        }
        if name == "--version" {
            show("primed \(version)\n")
            return Exit.ok
        }
        let asksHelp = name == "help"
        let wanted = asksHelp ? words[1] : name
        guard let command = commands.first(where: { $0.name == wanted }) else {
            let known = commands.filter { !$0.isHidden }.map(\.name)
            complain("no command \(printable(wanted)); did you mean \(nearest(to: wanted, in: known) ?? "help")?")
            return Exit.usage
        }
        do {
            let arguments = asksHelp ? nil : try Arguments(Array(words.dropFirst()), for: command)
            guard let arguments, !arguments.has("help") else {
                show(Help.page(command))
                return Exit.ok
            }
            return try command.run(arguments)
        } catch let failure as Failure {
            complain(failure.message)
            return failure.code
        } catch let error as PosixError {
            complain(error.description)
            return error.errno == ENOENT ? Exit.noInput : Exit.io
        } catch {
            complain("\(error)")
            return Exit.badData
        }
    }
}
