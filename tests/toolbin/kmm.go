package toolbin

// KMMEnv names a folder with a checkout of Kernel Module Management, whose
// definitions no Go module carries. Without it, tests take a definition that
// admits any Module.
const KMMEnv = "PFRING_TEST_KMM"

// KMMModuleCRD is the path of the definition of Module in such a checkout.
const KMMModuleCRD = "config/crd/bases/kmm.sigs.x-k8s.io_modules.yaml"
