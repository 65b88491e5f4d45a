import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import org.eclipse.lsp4j.*;
import org.eclipse.lsp4j.jsonrpc.json.MessageJsonHandler;
import org.eclipse.lsp4j.jsonrpc.messages.Either;
import org.eclipse.lsp4j.jsonrpc.services.JsonRequest;
import org.eclipse.lsp4j.launch.LSPLauncher;
import org.eclipse.lsp4j.services.LanguageClient;
import org.eclipse.lsp4j.services.LanguageServer;

/**
 * The server with LSP4J, doing what LSP4IJ 0.20 does: UTF-16 only; an action is resolved only when it has neither edit
 * nor command; actions that are exactly "quickfix" are not shown; edits are applied whatever their version, and
 * "applied" is answered always; commands carry no progress token. Messages are checked against LSP4J's schema.
 */
public class Lsp4ij {
    /** The sample that all editors share, with a character that UTF-16 counts twice. */
    static String sample(Path folder, String name) throws Exception {
        return Files.readString(folder.resolve(name)).replace("now {}", "now 😀 {}");
    }

    /** LSP4J 0.24 knows nothing of inline completion. */
    public interface Server extends LanguageServer {
        @JsonRequest("textDocument/inlineCompletion")
        CompletableFuture<JsonElement> inlineCompletion(Map<String, Object> params);
    }

    /** One open document, and what the IDE does with it. */
    static final class Ide implements LanguageClient {
        final Map<String, Object> settings;
        final List<String> messages = new CopyOnWriteArrayList<>();
        final List<String> progress = new CopyOnWriteArrayList<>();
        final Process process;
        String uri;
        String text;
        int version;
        Server server;

        Ide(Map<String, Object> settings, Process process) {
            this.settings = settings;
            this.process = process;
        }

        void open(String name, String text) {
            uri = name;
            this.text = text;
            version = 1;
            String language = name.endsWith(".md") ? "markdown" : "rust";
            server.getTextDocumentService().didOpen(new DidOpenTextDocumentParams(new TextDocumentItem(uri, language, 1, text)));
        }

        int offset(Position position) {
            int at = 0;
            for (int line = 0; line < position.getLine(); line++) {
                at = text.indexOf('\n', at) + 1;
            }
            return at + position.getCharacter();
        }

        Position position(int offset) {
            String before = text.substring(0, offset);
            int line = (int) before.chars().filter(c -> c == '\n').count();
            return new Position(line, offset - (before.lastIndexOf('\n') + 1));
        }

        synchronized void apply(WorkspaceEdit edit) {
            List<TextEdit> edits = new ArrayList<>();
            for (Either<TextDocumentEdit, ResourceOperation> change : edit.getDocumentChanges()) {
                for (Object one : change.getLeft().getEdits()) {
                    Object plain = one instanceof Either<?, ?> either ? either.getLeft() : one;
                    check(plain instanceof TextEdit, "snippet edits would be dropped: " + one);
                    edits.add((TextEdit) plain);
                }
            }
            edits.sort((a, b) -> offset(b.getRange().getStart()) - offset(a.getRange().getStart()));
            for (TextEdit one : edits) {
                int start = offset(one.getRange().getStart());
                int end = offset(one.getRange().getEnd());
                text = text.substring(0, start) + one.getNewText() + text.substring(end);
            }
            version++;
            var document = new VersionedTextDocumentIdentifier(uri, version);
            var change = new TextDocumentContentChangeEvent(text);
            server.getTextDocumentService().didChange(new DidChangeTextDocumentParams(document, List.of(change)));
        }

        public CompletableFuture<ApplyWorkspaceEditResponse> applyEdit(ApplyWorkspaceEditParams params) {
            apply(params.getEdit());
            return CompletableFuture.completedFuture(new ApplyWorkspaceEditResponse(true));
        }

        public CompletableFuture<List<Object>> configuration(ConfigurationParams params) {
            List<Object> answers = new ArrayList<>();
            for (ConfigurationItem item : params.getItems()) {
                answers.add("redraft".equals(item.getSection()) ? settings : null);
            }
            return CompletableFuture.completedFuture(answers);
        }

        public CompletableFuture<Void> createProgress(WorkDoneProgressCreateParams params) {
            return CompletableFuture.completedFuture(null);
        }

        public void notifyProgress(ProgressParams params) {
            progress.add(String.valueOf(params.getValue().getLeft().getKind()));
        }

        public CompletableFuture<Void> registerCapability(RegistrationParams params) {
            return CompletableFuture.completedFuture(null);
        }

        public CompletableFuture<Void> refreshCodeLenses() {
            return CompletableFuture.completedFuture(null);
        }

        public CompletableFuture<MessageActionItem> showMessageRequest(ShowMessageRequestParams params) {
            messages.add(params.getMessage());
            return CompletableFuture.completedFuture(params.getActions().get(0));
        }

        public void showMessage(MessageParams params) {
            messages.add(params.getMessage());
        }

        public void logMessage(MessageParams params) {
        }

        public void telemetryEvent(Object object) {
        }

        public void publishDiagnostics(PublishDiagnosticsParams params) {
        }
    }

    static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(300, TimeUnit.SECONDS);
    }

    static void check(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(String.valueOf(what));
        }
    }

    static void waitFor(String what, BooleanSupplier holds) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!holds.getAsBoolean()) {
            check(System.nanoTime() < end, "waited in vain for " + what);
            Thread.sleep(20);
        }
    }

    static ClientCapabilities capabilities() {
        var edit = new WorkspaceEditCapabilities();
        edit.setDocumentChanges(true);
        edit.setResourceOperations(List.of("create", "delete", "rename"));
        edit.setFailureHandling("undo");
        var workspace = new WorkspaceClientCapabilities();
        workspace.setApplyEdit(true);
        workspace.setWorkspaceEdit(edit);
        workspace.setConfiguration(true);
        workspace.setWorkspaceFolders(true);
        workspace.setDidChangeConfiguration(new DidChangeConfigurationCapabilities(true));
        workspace.setExecuteCommand(new ExecuteCommandCapabilities(true));
        workspace.setCodeLens(new CodeLensWorkspaceCapabilities(true));
        var kinds = List.of("quickfix", "refactor", "refactor.extract", "refactor.inline", "refactor.rewrite", "source");
        var action = new CodeActionCapabilities(new CodeActionLiteralSupportCapabilities(new CodeActionKindCapabilities(kinds)), true);
        action.setDataSupport(true);
        action.setIsPreferredSupport(true);
        action.setDisabledSupport(true);
        action.setResolveSupport(new CodeActionResolveSupportCapabilities(List.of("edit")));
        var document = new TextDocumentClientCapabilities();
        document.setCodeAction(action);
        document.setCodeLens(new CodeLensCapabilities(true));
        document.setSynchronization(new SynchronizationCapabilities(true, true, true));
        var window = new WindowClientCapabilities();
        window.setWorkDoneProgress(true);
        window.setShowMessage(new WindowShowMessageRequestCapabilities());
        var general = new GeneralClientCapabilities();
        general.setPositionEncodings(List.of("utf-16"));
        var all = new ClientCapabilities(workspace, document, window, null);
        all.setGeneral(general);
        return all;
    }

    static CodeAction offered(Ide ide, String needle, String title) throws Exception {
        int start = ide.text.indexOf(needle);
        var range = new Range(ide.position(start), ide.position(start + needle.length()));
        var document = new TextDocumentIdentifier(ide.uri);
        var params = new CodeActionParams(document, range, new CodeActionContext(List.of()));
        var actions = get(ide.server.getTextDocumentService().codeAction(params));
        check(actions.size() == 1, actions);
        CodeAction action = actions.get(0).getRight();
        check(action.getTitle().equals(title), action);
        check(!action.getKind().equals("quickfix"), "LSP4IJ would not show it");
        return action;
    }

    public static void main(String[] arguments) {
        try {
            run(arguments);
            System.exit(0);
        } catch (Throwable failed) {
            // LSP4J's threads would keep the process.
            failed.printStackTrace();
            System.exit(1);
        }
    }

    static void run(String[] arguments) throws Exception {
        Path template = Path.of(arguments[1]);
        Path samples = Path.of(arguments[2]);
        String original = sample(samples, "counter.rs");
        String snippet = sample(samples, "snippet.rs");
        String expected = sample(samples, "edited.rs");
        JsonObject flat = JsonParser.parseString(Files.readString(template.resolve("settings.json"))).getAsJsonObject();
        // The model is here; nothing is to be fetched in a test.
        flat.addProperty("redraft.model.fetch", "never");
        // LSP4IJ answers a section by the settings below it, nested.
        Map<String, Object> settings = new java.util.TreeMap<>();
        for (String key : flat.keySet()) {
            settings.put(key.substring("redraft.".length()), flat.get(key));
        }
        Ide ide = start(arguments[0], template, settings, false);
        System.out.println("ok   the handshake");

        String pasted = original + "\n" + snippet;
        ide.open("file:///workspace/counter.rs", pasted);
        CodeAction action = offered(ide, snippet, "Apply suggestion");
        check(action.getEdit() == null && action.getCommand() == null, "it is resolved only without both");
        CodeAction resolved = get(ide.server.getTextDocumentService().resolveCodeAction(action));
        for (var change : resolved.getEdit().getDocumentChanges()) {
            check(change.isLeft(), "no file is created or renamed");
        }
        ide.apply(resolved.getEdit());
        check(ide.text.equals(expected), ide.text);
        System.out.println("ok   code action, resolve, edit");

        ide.open("file:///workspace/target.rs", original);
        ide.open("file:///workspace/chat.md", "In `target.rs`:\n\n```rust\n" + snippet + "```\n");
        action = offered(ide, "amount", "Apply suggestion to target.rs");
        resolved = get(ide.server.getTextDocumentService().resolveCodeAction(action));
        var target = resolved.getEdit().getDocumentChanges().get(0).getLeft().getTextDocument();
        check(target.getUri().equals("file:///workspace/target.rs"), target);
        ide.uri = target.getUri();
        ide.text = original;
        ide.apply(resolved.getEdit());
        check(ide.text.equals(expected), ide.text);
        System.out.println("ok   code action in a Markdown block");

        ide.open("file:///workspace/second.rs", original);
        var argument = Map.of("text", "```rust\n" + snippet + "```\n", "uri", ide.uri);
        get(ide.server.getWorkspaceService().executeCommand(new ExecuteCommandParams("redraft.applyReply", List.of(argument))));
        check(ide.text.equals(expected), ide.text);
        System.out.println("ok   the command of the plugin, through applyEdit");

        // The model writes; what it is not sure of is asked about, as LSP4IJ shows no annotations.
        ide.open("file:///workspace/third.rs", original);
        settings.put("apply.route", "model");
        ide.server.getWorkspaceService().didChangeConfiguration(new DidChangeConfigurationParams(Map.of("redraft", settings)));
        argument = Map.of("text", snippet, "uri", ide.uri);
        get(ide.server.getWorkspaceService().executeCommand(new ExecuteCommandParams("redraft.applyReply", List.of(argument))));
        check(ide.text.equals(expected), ide.text);
        waitFor("the end of progress", () -> ide.progress.contains("end"));
        System.out.println("ok   the model writes, with progress; asked: " + ide.messages);

        int asked = ide.messages.size();
        StringBuilder numbers = new StringBuilder();
        for (int n = 0; n < 60; n++) {
            numbers.append("pub fn helper_").append(n).append("(x: u32) -> u32 {\n    x * ").append(n).append("\n}\n\n");
        }
        ide.open("file:///workspace/long.rs", numbers.toString());
        ide.progress.clear();
        argument = Map.of("text", "pub fn helper_30(x: u32) -> u32 {\n    x * 31\n}\n", "uri", ide.uri);
        var slow = ide.server.getWorkspaceService().executeCommand(new ExecuteCommandParams("redraft.applyReply", List.of(argument)));
        waitFor("progress", () -> ide.progress.contains("begin"));
        slow.cancel(true);
        waitFor("the end of progress", () -> ide.progress.contains("end"));
        check(ide.text.equals(numbers.toString()) && ide.messages.size() == asked, ide.messages);
        System.out.println("ok   a cancelled apply changes nothing");

        // LSP4IJ without inline completion gets an entry of the list; with it, that and no list.
        completion(ide);
        stop(ide);
        Ide newer = start(arguments[0], template, settings, true);
        inlineCompletion(newer);
        stop(newer);
        System.out.println("ok   the end");
    }

    /** A server that runs, after the handshake. */
    static Ide start(String program, Path template, Map<String, Object> settings, boolean inline) throws Exception {
        Process process = new ProcessBuilder(program, "lsp").redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Ide ide = new Ide(settings, process);
        var launcher = new LSPLauncher.Builder<Server>()
                .setLocalService(ide)
                .setRemoteInterface(Server.class)
                .setInput(process.getInputStream())
                .setOutput(process.getOutputStream())
                .validateMessages(true)
                .create();
        launcher.startListening();
        ide.server = launcher.getRemoteProxy();
        var parameters = new InitializeParams();
        parameters.setCapabilities(capabilities());
        parameters.setRootUri("file:///workspace");
        parameters.setInitializationOptions(JsonParser.parseString(Files.readString(template.resolve("initializationOptions.json"))));
        parameters.setProcessId((int) ProcessHandle.current().pid());
        var json = (JsonObject) new MessageJsonHandler(Map.of()).getGson().toJsonTree(parameters);
        if (inline) {
            JsonObject dynamic = new JsonObject();
            dynamic.addProperty("dynamicRegistration", true);
            json.getAsJsonObject("capabilities").getAsJsonObject("textDocument").add("inlineCompletion", dynamic);
        }
        var result = (InitializeResult) get(launcher.getRemoteEndpoint().request("initialize", json));
        var capabilities = result.getCapabilities();
        check(capabilities.getPositionEncoding().equals("utf-16"), capabilities.getPositionEncoding());
        check((capabilities.getCompletionProvider() == null) == inline, capabilities.getCompletionProvider());
        ide.server.initialized(new InitializedParams());
        return ide;
    }

    static void stop(Ide ide) throws Exception {
        check(ide.messages.stream().noneMatch(message -> message.contains("settings")), ide.messages);
        ide.server.getTextDocumentService().didClose(new DidCloseTextDocumentParams(new TextDocumentIdentifier(ide.uri)));
        get(ide.server.shutdown());
        ide.server.exit();
        check(ide.process.waitFor(20, TimeUnit.SECONDS) && ide.process.exitValue() == 0, "the server ends with 0");
    }

    static final String CODE = "pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    a -\n}\n";

    static void completion(Ide ide) throws Exception {
        ide.open("file:///workspace/completion.rs", CODE);
        var place = new CompletionParams(new TextDocumentIdentifier(ide.uri), new Position(5, 7));
        List<CompletionItem> items = new ArrayList<>();
        // An answer that takes long is for the next time that the IDE asks.
        waitFor("an entry of the list", () -> {
            var list = ide.server.getTextDocumentService().completion(place).join();
            if (list != null) {
                items.addAll(list.isLeft() ? list.getLeft() : list.getRight().getItems());
            }
            return !items.isEmpty();
        });
        TextEdit edit = items.get(0).getTextEdit().getLeft();
        check(edit.getNewText().equals(" b"), items);
        System.out.println("ok   completion");
    }

    static void inlineCompletion(Ide ide) throws Exception {
        ide.open("file:///workspace/completion.rs", CODE);
        Map<String, Object> params = Map.of(
                "textDocument", Map.of("uri", ide.uri),
                "position", Map.of("line", 5, "character", 7),
                "context", Map.of("triggerKind", 1));
        // Nothing is offered while the model is being loaded.
        List<JsonElement> items = new ArrayList<>();
        waitFor("inline completion", () -> {
            JsonElement answer = ide.server.inlineCompletion(params).join();
            if (answer != null && answer.isJsonObject()) {
                answer.getAsJsonObject().getAsJsonArray("items").forEach(items::add);
            }
            return !items.isEmpty();
        });
        check(items.get(0).getAsJsonObject().get("insertText").getAsString().equals(" b"), items);
        System.out.println("ok   inline completion");
    }
}
