"""A Kubernetes cluster for this repository's tests, on one machine: `python hack/cluster up`.

Promises   the same end in every flavour: a kubeconfig, cluster DNS, a default StorageClass that binds by itself, KubeRay,
           KServe, a Gateway of Envoy's, Prometheus, gyre's images loaded (a cluster that somebody else runs is given
           KubeRay alone). `up` twice is `up` once. `down` leaves no process, mount, interface or chain.
Never      writes into the repository; touches a process, mount or chain that it did not make; guesses: what is
           missing on the machine is named in one sentence.

Read in this order:
    cli            the commands
    flavour        explicit context, kind, or native: which, and why
    native         the table of steps of `up`, and `down` and `status`
    components     the table of long-running processes of the native flavour
    configuration  the text of their configuration files                        pure
    manifests      what is applied to the API server                            pure
    additions      what runs as pods in every flavour, and how it is applied: kuberay, kserve, gateway, prometheus
    binaries       one `go build` a module, Kubernetes first, cached by checksum
    fetched        programs that others built: Envoy, kubectl
    images, oci    gyre's own images, and images of one program
    host, certificates, network, containers, volumes, daemons                   the machine underneath
    steps, commands, layout, kubectl                                            how it runs and where it lives
"""
