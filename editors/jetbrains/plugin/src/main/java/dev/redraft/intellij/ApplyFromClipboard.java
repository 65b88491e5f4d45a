package dev.redraft.intellij;

import java.awt.datatransfer.DataFlavor;
import java.util.List;
import java.util.Map;

import com.intellij.openapi.actionSystem.ActionUpdateThread;
import com.intellij.openapi.actionSystem.AnAction;
import com.intellij.openapi.actionSystem.AnActionEvent;
import com.intellij.openapi.actionSystem.CommonDataKeys;
import com.intellij.openapi.ide.CopyPasteManager;
import com.redhat.devtools.lsp4ij.LanguageServerManager;
import org.eclipse.lsp4j.ExecuteCommandParams;
import org.jetbrains.annotations.NotNull;

/** Sends the clipboard to the server, which finds out what it is for. */
public class ApplyFromClipboard extends AnAction {
    @Override
    public void actionPerformed(@NotNull AnActionEvent event) {
        var project = event.getProject();
        var file = event.getData(CommonDataKeys.VIRTUAL_FILE);
        String text = CopyPasteManager.getInstance().getContents(DataFlavor.stringFlavor);
        if (project == null || file == null || text == null) {
            return;
        }
        var argument = Map.of("text", text, "uri", file.toNioPath().toUri().toString());
        var params = new ExecuteCommandParams("redraft.applyReply", List.of(argument));
        LanguageServerManager.getInstance(project)
                .getLanguageServer("redraft")
                .thenAccept(server -> {
                    if (server != null) {
                        // What goes wrong the server shows itself.
                        server.getServer().getWorkspaceService().executeCommand(params);
                    }
                });
    }

    @Override
    public void update(@NotNull AnActionEvent event) {
        event.getPresentation().setEnabledAndVisible(event.getData(CommonDataKeys.EDITOR) != null);
    }

    @Override
    public @NotNull ActionUpdateThread getActionUpdateThread() {
        return ActionUpdateThread.BGT;
    }
}
