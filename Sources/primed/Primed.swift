import Compute
import Glibc
import JSON
import Posix

/// primed: one file a subcommand; what they do lives in the modules down the road.
@main
struct Primed {
    static let version = "0.2.0-dev"

    static let commands: [Command] =
        [
            Serve.command, Run.command, Submit.command, Status.command, Top.command, Check.command, Predict.command,
            Tokenize.command, Demo.command, Doctor.command, Bench.command, Lineage.command, Kept.command,
            Events.command, Manual.command, Work.command,
        ] + Operate.commands

    static func main() {
        Signals.ignoreBrokenPipes()
        Signals.heedChildren()
        BLAS.useOneThread()
        // Else a file that is opened later would be taken for them.
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDWR)
        }
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let word = CommandLine.unsafeArgv[index], String(validatingCString: word) == nil else { continue }
            complain("argument \(index) is not UTF-8")
            exit(Exit.usage)
        }
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Does what the words say; answers the exit code.
    static func run(_ words: [String]) -> Int32 {
        do {
            return try dispatch(words)
        } catch {
            complain("\(error)")
            return Exit.code(of: error)
        }
    }

    private static func dispatch(_ words: [String]) throws -> Int32 {
        switch words.first {
        case nil:
            complain("no command; see primed help")
            return Exit.usage
        case "--version":
            show("primed \(version)\n")
            return Exit.ok
        case "help", "--help", "-h":
            show(try words.count > 1 ? Help.page(command(words[1])) : Help.overview(commands))
            return Exit.ok
        case let name?:
            let command = try command(name)
            let arguments = try Arguments(Array(words.dropFirst()), for: command)
            guard !arguments.has("help") else {
                show(Help.page(command))
                return Exit.ok
            }
            return try command.run(arguments)
        }
    }

    private static func command(_ name: String) throws(Failure) -> Command {
        guard let command = commands.first(where: { $0.name == name }) else {
            if name.hasPrefix("-") {
                throw Failure.unknown("no option", name, among: ["--version", "--help"], help: "primed help")
            }
            let known = commands.filter { !$0.isHidden }.map(\.name)
            throw Failure.unknown("no command", name, among: known, help: "primed help")
        }
        return command
    }
}
