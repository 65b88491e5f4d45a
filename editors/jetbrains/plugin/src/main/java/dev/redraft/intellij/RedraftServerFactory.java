package dev.redraft.intellij;

import java.util.List;

import com.intellij.openapi.project.Project;
import com.redhat.devtools.lsp4ij.LanguageServerFactory;
import com.redhat.devtools.lsp4ij.server.OSProcessStreamConnectionProvider;
import com.redhat.devtools.lsp4ij.server.StreamConnectionProvider;
import com.intellij.execution.configurations.GeneralCommandLine;
import org.jetbrains.annotations.NotNull;

/** Starts the {@code redraft} of the PATH. */
public class RedraftServerFactory implements LanguageServerFactory {
    @Override
    public @NotNull StreamConnectionProvider createConnectionProvider(@NotNull Project project) {
        var command = new GeneralCommandLine(List.of("redraft", "lsp"));
        command.withWorkDirectory(project.getBasePath());
        return new OSProcessStreamConnectionProvider(command);
    }
}
