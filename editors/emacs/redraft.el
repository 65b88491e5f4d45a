;;; redraft.el --- Lands an assistant's edit suggestions, with eglot  -*- lexical-binding: t -*-

;; Package-Requires: ((emacs "29.1") (eglot "1.15"))

;;; Commentary:

;; Eglot runs one server for a buffer.  `redraft-eglot' starts Redraft as that server; while another one runs, Redraft's
;; commands and code actions are not there.
;;
;;   M-x redraft-eglot             start Redraft for this kind of buffer
;;   M-x redraft-apply             apply the region, the Markdown block at point, or else the last kill
;;   M-x redraft-apply-kill        apply the last kill: a chat reply, a diff, or code for this file
;;   M-x redraft-fetch-model, redraft-choose-model, redraft-status, redraft-benchmark, redraft-log

;;; Code:

(require 'eglot)

(defgroup redraft nil
  "Lands an assistant's edit suggestions."
  :group 'tools)

(defcustom redraft-program "redraft"
  "The program `redraft', with its path where it is not on `exec-path'."
  :type 'string)

(defcustom redraft-settings nil
  "Redraft's settings, as a property list such as (:apply (:route \"auto\"))."
  :type 'plist)

(defun redraft--contact (&rest _)
  "How eglot starts Redraft."
  (list redraft-program "lsp" :initializationOptions (list :redraft (or redraft-settings eglot--{}))))

;;;###autoload
(defun redraft-eglot ()
  "Start Redraft as the language server of this kind of buffer."
  (interactive)
  (add-to-list 'eglot-server-programs (cons major-mode #'redraft--contact))
  (apply #'eglot (eglot--guess-contact)))

(defun redraft--execute (command argument)
  "Call Redraft's COMMAND with ARGUMENT.  What goes wrong the server shows."
  (jsonrpc-async-request
   (eglot--current-server-or-lose) :workspace/executeCommand
   (list :command (concat "redraft." command) :arguments (vector argument))
   :success-fn #'ignore
   :error-fn (jsonrpc-lambda (&key message &allow-other-keys) (message "Redraft: %s" message))
   ;; A model may be at work, or a person be asked.
   :timeout 600))

(defun redraft--uri ()
  "The address of this buffer's file."
  (plist-get (eglot--TextDocumentIdentifier) :uri))

;;;###autoload
(defun redraft-apply ()
  "Apply the suggestion in the region, the Markdown block at point, or else the last kill."
  (interactive)
  (if (or (use-region-p) (derived-mode-p 'markdown-mode 'markdown-ts-mode))
      (let ((start (if (use-region-p) (region-beginning) (point)))
            (end (if (use-region-p) (region-end) (point))))
        (redraft--execute
         "applyAt"
         (list :uri (redraft--uri)
               :range (list :start (eglot--pos-to-lsp-position start)
                            :end (eglot--pos-to-lsp-position end)))))
    (redraft-apply-kill)))

;;;###autoload
(defun redraft-apply-kill ()
  "Apply the last kill: a chat reply, a diff, or code for this file."
  (interactive)
  (redraft--execute "applyReply"
                    (list :text (substring-no-properties (current-kill 0)) :uri (redraft--uri))))

;;;###autoload
(defun redraft-fetch-model ()
  "Fetch the model."
  (interactive)
  (redraft--execute "fetchModel" eglot--{}))

;;;###autoload
(defun redraft-choose-model ()
  "Use another model until Emacs ends; `redraft-settings' keeps it."
  (interactive)
  (redraft--execute "chooseModel" eglot--{}))

;;;###autoload
(defun redraft-log ()
  "Open the server's log."
  (interactive)
  (redraft--execute "openLog" eglot--{}))

;;;###autoload
(defun redraft-status ()
  "Show which model runs."
  (interactive)
  (redraft--execute "showStatus" eglot--{}))

;;;###autoload
(defun redraft-benchmark ()
  "Measure this machine."
  (interactive)
  (redraft--execute "benchmark" eglot--{}))

(provide 'redraft)
;;; redraft.el ends here
